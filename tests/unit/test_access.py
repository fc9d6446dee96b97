"""What calls teach about access, without a socket and with a clock of our own."""

import copy
import pickle
from datetime import UTC, datetime

import pytest
from fakes import contract, request, response

from healthyroster_async import ForbiddenError, Grant, KnownDenialError, LikelyCause
from healthyroster_async._core import access
from healthyroster_async._core.access import FRESH_FOR, AccessMap
from healthyroster_async._core.access_grid import Grid
from healthyroster_async._policies.telemetry import TelemetryPolicy

PROVIDER = LikelyCause.PROVIDER_NOT_GRANTED
ENDPOINT = LikelyCause.ENDPOINT_NOT_AUTHORIZED


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def known(clock):
    return AccessMap(lambda: {"data_sources": "GET /sources"}, clock, clock)


def grid_of(*rows):
    """Return a grid of rows such as ``"++-."``, a dot for what was not asked."""
    grid = Grid()
    for provider, row in enumerate(rows, 1):
        for endpoint, sign in enumerate(row):
            if sign != ".":
                grid.put(str(provider), f"e{endpoint}", granted=sign == "+")
    return grid


@pytest.mark.parametrize("look", [AccessMap.fresh, AccessMap.said, iter])
def test_who_looks_is_not_disturbed_by_what_is_learned_meanwhile(known, look):
    """
    Threads look at the map of a pool that others call with.
    """
    known.answered(42, "GET /sources")
    seen = look(known)
    first = next(seen)
    known.answered(43, "GET /sources")

    assert [first, *seen] == [first]


def test_a_call_teaches_who_may_ask_what_when_and_how_often(known, clock):
    """
    Nobody should have to keep a list of grants beside the code.
    """
    known.answered(42, "GET /sources")
    clock.now += 5
    known.answered(42, "GET /sources")
    known.refused(43, "POST /rows")
    cell, other = known.cell(42, "data_sources"), known.cell(43, "POST /rows")

    assert (cell.grant, cell.answered, cell.refused) == (Grant.GRANTED, 2, 0)
    assert cell.at == datetime.fromtimestamp(clock.now, UTC)
    assert (other.grant, other.answered, other.refused) == (Grant.DENIED, 0, 1)
    assert known.cell(44, "data_sources").grant is Grant.UNKNOWN
    assert known.cell(44, "data_sources").at is None
    assert [one.endpoint for one in known] == ["data_sources", "POST /rows"]
    assert repr(known) == "<AccessMap: 1 granted, 1 denied>"


def test_a_number_and_its_text_are_one_provider(known):
    """
    They are the same path, so what one learns the other knows.
    """
    known.answered(42, "GET /sources")

    assert known.cell("42", "data_sources").grant is Grant.GRANTED
    assert len(known) == 1


def test_an_endpoint_of_the_contract_is_known_by_itself_too():
    """
    Who has the endpoint at hand need not know what it is called.
    """
    endpoint = contract().rows
    known = AccessMap(lambda: {endpoint.name: endpoint.label}, lambda: 0.0, lambda: 0.0)
    known.answered(1, endpoint.label)

    assert known.cell(1, endpoint) == known.cell(1, "rows")
    assert known.cell(1, endpoint).grant is Grant.GRANTED


NOBODY = "answered for no provider"
NONE = "no endpoint of this provider answered"
ALONE = "no other endpoint of this provider was asked"


@pytest.mark.parametrize(
    ("rows", "cause", "provider", "endpoint"),
    [
        (["-+++++++"], ENDPOINT, "7 other endpoints of this provider answered", NOBODY),
        (["-+", "-."], ENDPOINT, "1 other endpoint of this provider answered", NOBODY),
        (["-", "+", "+"], PROVIDER, ALONE, "answered for 2 other providers"),
        (
            ["--", "+."],
            PROVIDER,
            f"{NONE} (2 asked)",
            "answered for 1 other provider",
        ),
        (
            ["--", ".+"],
            PROVIDER,
            f"{NONE} (2 asked, 1 of them answered for others)",
            NOBODY,
        ),
        (["-.", "-+"], ENDPOINT, ALONE, f"{NOBODY} (2 asked, 1 of them answered else"),
        (
            ["-+", "+."],
            LikelyCause.UNKNOWN,
            "1 other endpoint of this provider answered",
            "answered for 1 other provider",
        ),
        (["-"], LikelyCause.UNKNOWN, ALONE, NOBODY),
    ],
)
def test_the_other_cells_tell_which_grant_is_missing(rows, cause, provider, endpoint):
    """
    The API says one 403 for both, and support wants to know which one it is.
    """
    grid = grid_of(*rows)

    assert grid.cause("1", "e0") is cause
    assert grid.evidence("1", "e0").startswith(f"{provider}; this endpoint {endpoint}")


def test_a_refusal_is_told_with_what_was_known_before(known):
    """
    The error is read in a log, long after the pool is gone.
    """
    known.answered(42, "GET /sources")
    denial = known.refused(42, "POST /rows")

    assert denial.cause is ENDPOINT
    assert denial.evidence.startswith("1 other endpoint of this provider answered")


def test_a_denial_is_known_until_it_may_have_been_granted(known, clock):
    """
    A new grant is noticed without starting the program anew.
    """
    known.refused(42, "POST /rows")
    clock.now += FRESH_FOR - 1

    assert known.denial(42, "POST /rows").age == FRESH_FOR - 1
    assert known.cell(42, "POST /rows").grant is Grant.DENIED
    clock.now += 1
    assert known.denial(42, "POST /rows") is None
    assert known.cell(42, "POST /rows").grant is Grant.UNKNOWN
    assert list(known.fresh()) == []


def test_a_grant_ends_a_denial_at_once(known):
    """
    The last word counts.
    """
    known.refused(42, "POST /rows")
    known.answered(42, "POST /rows")

    assert known.denial(42, "POST /rows") is None
    assert known.cell(42, "POST /rows").refused == 1


def test_a_clock_that_is_set_back_keeps_nothing_denied(known, clock):
    """
    Else a denial lasts a day because somebody corrected the time.
    """
    known.refused(42, "POST /rows")
    clock.now -= 86_400

    assert known.denial(42, "POST /rows") is None


def test_a_wall_clock_that_is_set_back_prolongs_nothing(clock):
    """
    It is shown, and not reckoned with.
    """
    wall = Clock()
    known = AccessMap(dict, clock, wall)
    known.refused(42, "POST /rows")
    clock.now += FRESH_FOR - 1
    wall.now -= 60

    assert known.denial(42, "POST /rows").age == FRESH_FOR - 1
    clock.now += 1
    assert known.denial(42, "POST /rows") is None


def test_two_refusals_speak_for_a_whole_provider_and_one_does_not(known):
    """
    One may be an exception, and skipping a clinic for it would lose its night.
    """
    for endpoint in ("a", "b", "c"):
        known.answered(1, endpoint)
    known.refused(42, "a")

    assert known.denial(42, "c") is None
    known.refused(42, "b")
    assert known.denial(42, "c").cause is PROVIDER
    known.answered(42, "c")
    assert known.denial(42, "d") is None


def test_two_refusals_speak_for_a_whole_endpoint(known, clock):
    """
    Asking 300 providers for what none of them may be asked is 300 calls in vain.
    """
    for provider in (1, 2, 3):
        known.answered(provider, "a")
    known.refused(1, "b")
    known.refused(2, "b")

    assert known.denial(3, "b").cause is ENDPOINT
    clock.now += FRESH_FOR
    assert known.denial(3, "b") is None


def test_what_is_remembered_is_bounded(known, monkeypatch):
    """
    A web app may let strangers name providers.
    """
    monkeypatch.setattr(access, "_MOST_CELLS", 10)
    for provider in range(100):
        known.refused(provider, "a")

    assert len(known) == 10
    assert known.cell(0, "a").grant is Grant.UNKNOWN
    assert known.cell(99, "a").grant is Grant.DENIED
    assert len(known._grid.providers) == 10
    assert len(known._grid.endpoints["a"].refused) == 10


async def test_every_answer_teaches_and_every_other_end_does_not():
    """
    A 404 may hide what is denied, and a 500 says nothing at all.
    """
    known = AccessMap(dict, lambda: 0.0, lambda: 0.0)
    policy = TelemetryPolicy(known)

    class Signed:
        request = request()

    for status in (404, 400, 401, 422, 429, 500, 302):

        async def send(_, status=status):
            return response(status)

        with pytest.raises(Exception, match=r".") as caught:
            await policy(Signed, send)
        assert not isinstance(caught.value, ForbiddenError)
    assert len(known) == 0

    async def refuse(_):
        return response(403)

    with pytest.raises(ForbiddenError) as refused:
        await policy(Signed, refuse)

    assert refused.value.likely_cause is LikelyCause.UNKNOWN
    assert "4711" not in str(refused.value)
    assert refused.value.evidence in str(refused.value)
    assert next(iter(known)).refused == 1


async def test_a_quota_that_is_used_up_is_no_denial():
    """
    It comes as 403 too, and would make a whole clinic look denied for an hour.
    """
    known = AccessMap(dict, lambda: 0.0, lambda: 0.0)

    class Signed:
        request = request()

    async def send(_):
        return response(403, headers={"retry-after": "3600"})

    with pytest.raises(Exception, match="fewer calls"):
        await TelemetryPolicy(known)(Signed, send)

    assert len(known) == 0


@pytest.mark.parametrize("kind", [ForbiddenError, KnownDenialError])
def test_the_cause_survives_copy_and_pickle(kind):
    """
    Workers hand their errors back, and the cause is what is acted on.
    """
    error = kind(response(403), PROVIDER, "because of this")

    for twin in (
        copy.copy(error),
        copy.deepcopy(error),
        pickle.loads(pickle.dumps(error)),
    ):
        assert (twin.likely_cause, twin.evidence) == (PROVIDER, "because of this")
        assert "because of this" in str(twin)
        assert "not granted this Healthcare Provider" in str(twin)
        assert "4711" not in str(twin)
