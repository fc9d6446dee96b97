"""Which request meets which fault; and where a body is cut."""

import sys

import attrs
import pytest

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async.emulator import Emulator, Fault, Seen, encoding
from healthyroster_async.emulator.answers import cut
from healthyroster_async.emulator.faults import FaultPlan


def kinds(plan, requests, endpoint="rows", provider=1):
    faults = (plan.next(endpoint, provider) for _ in range(requests))
    return [fault.kind if fault else None for fault in faults]


def test_every_nth_request_meets_it_so_many_times():
    """
    A test that plants two faults must get two, and know where.
    """
    plan = FaultPlan([Fault(kind="reset", every=3, times=2)])

    assert kinds(plan, 10) == [None, None, "reset"] * 2 + [None] * 4


def test_the_first_fault_that_is_due_happens():
    """
    Several faults together keep their own counts.
    """
    plan = FaultPlan([Fault(kind="reset", every=2), Fault(kind="stall", every=3)])

    assert kinds(plan, 6) == [None, "reset", "stall", "reset", None, "reset"]


def test_a_fault_stays_with_its_provider_and_endpoint():
    """
    One failing provider must not cost the others their results.
    """
    plan = FaultPlan([Fault(kind="html", endpoint="rows", provider=7)])

    assert kinds(plan, 1, "rows", 7) == ["html"]
    assert kinds(plan, 1, "rows", 8) == [None]
    assert kinds(plan, 1, "data_source", 7) == [None]
    assert FaultPlan([Fault(kind="html", provider="7")]).next("rows", 7) is not None


def test_chance_is_the_seeds():
    """
    A chaos test that failed must fail again.
    """
    faults = [Fault(kind="reset", probability=0.3)]
    first = kinds(FaultPlan(faults, 5), 1000)

    assert kinds(FaultPlan(faults, 5), 1000) == first
    assert kinds(FaultPlan(faults, 6), 1000) != first
    assert 200 < first.count("reset") < 400


@pytest.mark.parametrize("size", [1, 2, 1000, 70_000, 300_000])
@pytest.mark.parametrize("after", [0, 1, 999, 1000, 100_000, 10**9])
@pytest.mark.parametrize("piece", [1000, 130_000])
def test_a_cut_body_is_a_beginning_and_never_all(size, after, piece):
    """
    A body that was cut by nothing would be a fault that did not happen.
    """
    body = bytes(n % 251 for n in range(size))
    pieces = [body[n : n + piece] for n in range(0, size, piece)]
    got = b"".join(cut([*pieces[:1], b"", *pieces[1:]], after))

    assert body.startswith(got)
    assert len(got) < size
    if after < size:
        assert len(got) == after


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"kind": "meteor"}, "Fault.kind"),
        ({"kind": "status", "status": 99}, "Fault.status"),
        ({"kind": "reset", "endpoint": "row"}, "endpoint"),
        ({"kind": "reset", "every": 0}, "Fault.every"),
        ({"kind": "reset", "probability": 1.5}, "Fault.probability"),
        ({"kind": "reset", "times": -1}, "Fault.times"),
        ({"kind": "stall", "after_bytes": -1}, "Fault.after_bytes"),
        ({"kind": "status", "retry_after": -1}, "Fault.retry_after"),
        ({"kind": "status", "retry_after": True}, "Fault.retry_after"),
        ({"kind": "status", "retry_after": "1\r\nX: 1"}, "Fault.retry_after"),
        ({"kind": "redirect", "location": 7}, "Fault.location"),
        ({"kind": "redirect", "location": "/\n"}, "Fault.location"),
    ],
)
def test_a_wrong_fault_is_refused_by_name(options, word):
    """
    A misspelt fault that never happens makes a test pass for nothing.
    """
    with pytest.raises(ConfigurationError, match=word):
        Fault(**options)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"providers": -1}, "providers"),
        ({"providers": "42"}, "providers"),
        ({"providers": [1, "1"]}, "twice"),
        ({"providers": [1.5]}, "provider id"),
        ({"providers": ["*"]}, "provider"),
        ({"rows": -1}, "rows"),
        ({"rows": {"Injuries": 1}}, "Injuries"),
        ({"rows": {"Patients": True}}, "Patients"),
        ({"environments": ()}, "environments"),
        ({"environments": ("sandbox",)}, "environments"),
        ({"key_casing": "kebab"}, "key_casing"),
        ({"envelope": ""}, "envelope"),
        ({"list_envelope": "a..b"}, "list_envelope"),
        ({"id_style": "hash"}, "id_style"),
        ({"compression": "lzma"}, "compression"),
        ({"latency": -1}, "latency"),
        ({"rate_limit": 5}, "rate_limit"),
        ({"capacity": 0}, "capacity"),
        ({"clock_skew": float("inf")}, "clock_skew"),
        ({"outage": "reset"}, "outage"),
        ({"outage": Fault(kind="stall")}, "html, reset, status"),
        ({"outage": Fault(kind="reset", times=3)}, "without every"),
        ({"faults": ["reset"]}, "Fault"),
        ({"denied": [(1, "row")]}, "endpoint"),
        ({"denied": 1}, "denied is 1"),
        ({"denied": "12"}, "denied is '12'"),
        ({"denied": {1: "rows"}}, "denied is {1: 'rows'}"),
        ({"denied": (1, "*")}, "denied holds"),
        ({"denied": [(1, "*", "*")]}, "denied holds"),
        ({"port": 70_000}, "port"),
        ({"path_prefix": "api"}, "path_prefix"),
        ({"application_id_header": "x-application-secret"}, "two names"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(options, word):
    """
    The command shows this text to somebody who does not read the code.
    """
    with pytest.raises(ConfigurationError, match=word):
        Emulator(**options)


@pytest.mark.parametrize(
    ("coding", "module"), [("br", "brotli"), ("zstd", encoding._zstd_module())]
)
def test_a_coding_that_is_not_installed_names_its_package(monkeypatch, coding, module):
    """
    The core does not depend on it; a traceback in the middle of an answer helps nobody.
    """
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match="pip install"):
        Emulator(compression=coding)


def test_every_setting_is_described_where_the_constructor_is():
    """
    It is asked for in a notebook with one question mark.
    """
    for attribute in attrs.fields(Emulator):
        if attribute.init:
            assert f"    {attribute.alias}:" in Emulator.__doc__


def test_counters_can_be_written_as_json_and_cleared():
    """
    The command prints them; a test clears them between its parts.
    """
    seen = Seen()
    seen.enter()
    seen.rows_sent[7, "patients"] += 5
    seen.by_status[200] += 1

    assert seen.as_dict()["rows_sent"] == [
        {"provider": 7, "source": "patients", "rows": 5}
    ]
    seen.clear()
    assert (seen.requests, seen.in_flight, seen.peak_in_flight) == (0, 1, 1)
    assert not seen.rows_sent
    assert not seen.by_status


def test_a_call_during_an_announced_pause_is_counted_but_not_one_that_crossed_it():
    """
    Who was told and calls all the same is not polite; who could not know yet is.
    """
    seen = Seen()
    seen.paused(("app", None), left=10.0, until=12.0)
    for now in (10.01, 11.0, 11.99, 12.0, 13.0):
        seen.arrived("app", 1, now)
    seen.arrived("another", 1, 11.0)

    assert seen.during_pause == 2


def test_a_pause_that_follows_another_has_its_own_time_to_arrive():
    """
    A polite client is never blamed, and a later pause hides no earlier one.
    """
    seen = Seen()
    seen.paused(("app", None), left=10.0, until=12.0)
    seen.paused(("app", None), left=11.99, until=15.0)
    seen.paused(("app", None), left=12.5, until=13.0)
    counts = []
    for now in (11.995, 12.0, 12.005, 12.1, 13.1, 14.9, 15.0):
        seen.arrived("app", 1, now)
        counts.append(seen.during_pause)

    assert counts == [1, 1, 1, 2, 3, 4, 4]


def test_a_pause_of_one_provider_is_not_the_others():
    """
    With a limit for each provider, each has pauses of its own.
    """
    seen = Seen()
    seen.paused(("app", 1), left=0.0, until=10.0)
    for provider in (1, 2, 1):
        seen.arrived("app", provider, 5.0)
    assert seen.during_pause == 2
    seen.paused(("app", None), left=10.0, until=20.0)
    for provider in (1, 2):
        seen.arrived("app", provider, 15.0)

    assert seen.during_pause == 4


def test_accepted_requests_are_counted_by_the_second_for_an_hour():
    """
    An emulator may run for weeks; a rate is read off its last hour.
    """
    seen = Seen()
    for tenth in range(40_000):
        seen.admit(tenth / 10)

    assert seen.accepted_at == dict.fromkeys(range(400, 4000), 10)
    assert seen.as_dict()["accepted_at"]["3999"] == 10


def test_what_is_set_at_run_time_is_checked_too():
    """
    A typing error in the middle of a benchmark must not pass as a result.
    """
    emulator = Emulator()
    with pytest.raises(ConfigurationError, match="rate_limit"):
        emulator.rate_limit = 20
    with pytest.raises(ConfigurationError, match="outage"):
        emulator.outage = Fault(kind="malformed")
    with pytest.raises(ConfigurationError, match="capacity"):
        emulator.capacity = 0


def test_a_provider_alone_is_denied_everything():
    """
    So does ``deny(3)``, and whoever knows that writes this.
    """
    emulator = Emulator(providers=[1, 2, "B"], denied=[2, "B", (1, "rows")])

    assert not emulator.granted("2", "rows")
    assert not emulator.granted("B", "data_sources")
    assert not emulator.granted("1", "rows")
    assert emulator.granted("1", "data_sources")


def test_a_provider_that_is_not_there_can_have_no_fault_and_no_grant():
    """
    A test with a typing error would pass, for nothing went wrong.
    """
    fault = Fault(kind="reset", provider=9)
    with pytest.raises(ConfigurationError, match="provider is 9"):
        Emulator(providers=3, faults=[fault])
    with pytest.raises(ConfigurationError, match="provider is '9'"):
        Emulator(providers=3, denied=[(9, "rows")])
    emulator = Emulator(providers=3)
    for change in (emulator.deny, emulator.grant):
        with pytest.raises(ConfigurationError, match="provider is 9"):
            change(9)
    with pytest.raises(ConfigurationError, match="provider is 9"):
        emulator.add_fault(fault)
    assert not emulator.faults


def test_the_secret_is_in_no_repr():
    """
    A failing test prints its fixtures.
    """
    emulator = Emulator(providers=3)
    (credentials,) = emulator.credentials.values()

    assert credentials.application_secret.reveal() not in repr(emulator)


def test_tens_of_thousands_of_providers_cost_nothing():
    """
    Nothing is made for a provider before somebody asks for it.
    """
    emulator = Emulator(providers=50_000, rows=10**6)

    assert emulator.providers[-1] == 50_000
    assert emulator.expected_rows(50_000, "Patients") == 10**6
    with pytest.raises(ConfigurationError):
        emulator.expected_rows(50_001, "Patients")
