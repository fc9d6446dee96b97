"""What came of it: the verdict, a state for each provider, reasons put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from attrs import define, field, frozen

from healthyroster_async._core.errors import LikelyCause
from healthyroster_async._core.recording import Tally
from healthyroster_async._report.data import PullShown, ReportData
from healthyroster_async._report.text import counted, duration

EVERYBODY = "*"
_LIST = "the list of data sources"


@frozen
class State:
    """What a provider's row says first.

    Attributes:
        key: Its class in the style.
        sign: What tells it apart without a colour.
        words: What it means.
    """

    key: str
    sign: str
    words: str


FAILED = State("failed", "✕", "failed")
PARTLY = State("failed", "✕", "partly failed")
DENIED = State("denied", "⊘", "denied")
SOME_DENIED = State("denied", "⊘", "partly denied")
OPEN = State("open", "…", "not finished")
FAULTS = State("throttled", "△", "had faults")
EMPTY = State("empty", "○", "no rows")
FINE = State("well", "✓", "fine")
WELL = State("well", "✓", "complete")
# What needs attention comes first.
ORDER = (FAILED, PARTLY, OPEN, DENIED, SOME_DENIED, FAULTS, EMPTY, FINE, WELL)


@define
class ProviderRow:
    """A Healthcare Provider.

    Attributes:
        name: Its id.
        tally: What the pool counted.
        rows: Rows that came.
        failed: What failed: partitions of a pull, or else attempts.
        denied: What was denied: data sources of a pull, or else attempts.
        partitions: Partitions of the pull.
        there: ... that are in the destination.
        kept: ... that were there before.
        pulled: Whether the pull was about it.
        unasked: Whether the pull ended before it was asked for.
    """

    name: str
    tally: Tally = field(factory=Tally)
    rows: int = 0
    failed: int = 0
    denied: int = 0
    partitions: int = 0
    there: int = 0
    kept: int = 0
    pulled: bool = False
    unasked: bool = False

    @property
    def state(self) -> State:
        """What to say of it first."""
        if not self.pulled:
            return self._called()
        if self.failed:
            return PARTLY if self.there else FAILED
        if self.denied:
            return SOME_DENIED if self.there else DENIED
        if self.there < self.partitions or self.unasked:
            return OPEN
        return WELL if self.rows or self.kept else EMPTY

    def _called(self) -> State:
        tally = self.tally
        if tally.denied:
            return SOME_DENIED if tally.answered else DENIED
        if tally.failed and not tally.answered:
            return FAILED
        return FAULTS if tally.failed else FINE


def providers(data: ReportData) -> list[ProviderRow]:
    """Return the providers, those that need attention first."""
    tallies = data.recording.providers
    found = {name: ProviderRow(name, tally) for name, tally in tallies.items()}
    for row in found.values():
        row.rows = row.tally.rows
        row.failed, row.denied = row.tally.failed, row.tally.denied
    if data.pull is not None:
        _add_pull(found, data.pull)
    return sorted(
        found.values(),
        key=lambda row: (ORDER.index(row.state), -row.failed, -row.denied, -row.rows),
    )


def _add_pull(found: dict[str, ProviderRow], pull: PullShown) -> None:
    report = pull.report
    for provider_id in pull.plan.providers:
        row = found.setdefault(str(provider_id), ProviderRow(str(provider_id)))
        row.pulled, row.unasked = True, bool(pull.ended)
        row.rows = row.failed = row.denied = 0
    for one in report.providers:
        row = found[str(one.provider_id)]
        row.rows, row.partitions = one.rows, one.partitions
        row.there, row.kept, row.unasked = one.done + one.kept, one.kept, False
    for failure in report.failed:
        if failure.provider_id != EVERYBODY:
            found[str(failure.provider_id)].failed += 1
    for denial in report.denied:
        found[str(denial.provider_id)].denied += 1


@define
class Group:
    """What went wrong for the same reason.

    Attributes:
        state: Whether it was denied or failed.
        reason: Why.
        count: How often.
        providers: Whom it was about.
        what: Data sources or endpoints.
    """

    state: State
    reason: str
    count: int = 0
    providers: Counter[str] = field(factory=Counter)
    what: Counter[str] = field(factory=Counter)


def groups(data: ReportData) -> list[Group]:
    """Return what went wrong in a pull, what was most often first."""
    found: dict[tuple[str, str], Group] = {}

    def add(state: State, reason: str, provider: object, what: str | None) -> None:
        group = found.setdefault((state.key, reason), Group(state, reason))
        group.count += 1
        if provider != EVERYBODY:
            group.providers[str(provider)] += 1
        if what is not None:
            group.what[what] += 1

    if data.pull is not None:
        for failure in data.pull.report.failed:
            add(FAILED, failure.reason, failure.provider_id, failure.source)
        for denial in data.pull.report.denied:
            unknown = denial.reason == LikelyCause.UNKNOWN.value
            reason = "which grant is missing is not clear" if unknown else denial.reason
            add(DENIED, reason, denial.provider_id, denial.source or _LIST)
    return sorted(
        found.values(), key=lambda g: (ORDER.index(g.state), -g.count, g.reason)
    )


@frozen
class Verdict:
    """The one sentence at the top.

    Attributes:
        state: Its colour and sign.
        title: What it is about, in a word or two.
        sentence: What came of it.
    """

    state: State
    title: str
    sentence: str


def verdict(data: ReportData) -> Verdict:
    """Return what came of it, in one sentence."""
    return _of_pull(data.pull) if data.pull is not None else _of_calls(data)


def _of_pull(pull: PullShown) -> Verdict:
    report = pull.report
    came = [one for one in report.providers if one.done]
    rows = f"{counted(report.rows, 'row')} of {counted(len(came), 'provider')}"
    took = duration(report.seconds)
    failing = {str(f.provider_id) for f in report.failed} - {EVERYBODY}
    denied = {str(d.provider_id) for d in report.denied}
    wrong = []
    if denied:
        wrong.append(f"{counted(len(denied), 'provider')} denied")
    if report.failed:
        what = counted(len(report.failed), "failure")
        of = f" of {counted(len(failing), 'provider')}" if failing else ""
        wrong.append(f"{what}{of}")
    and_wrong = f"; {', '.join(wrong)}" if wrong else ""
    if pull.ended:
        there = f"{report.done + report.kept:,} of {report.partitions:,} partitions"
        sentence = f"Nothing came in {took}{and_wrong}"
        if came or report.kept:
            sentence = f"{rows} in {took}, {there}{and_wrong}"
        return Verdict(FAILED, f"Pull {pull.ended}", f"{sentence}.")
    if not came and report.kept:
        sentence = f"All {report.kept:,} partitions were there already{and_wrong}"
    elif not came:
        sentence = f"Nothing came in {took}{and_wrong}"
    else:
        sentence = f"{rows} in {took}{and_wrong}"
        if report.kept:
            sentence += f"; {report.kept:,} partitions were there already"
    if report.failed:
        return Verdict(FAILED, "Pull incomplete", f"{sentence}.")
    if report.denied:
        return Verdict(DENIED, "Pull complete but for grants", f"{sentence}.")
    return Verdict(WELL, "Pull complete", f"{sentence}.")


def _of_calls(data: ReportData) -> Verdict:
    recording, total = data.recording, data.recording.total
    if not total.calls:
        return Verdict(EMPTY, "No calls", "This pool has made no call yet.")
    calls = f"{counted(total.calls, 'call')}"
    count = len(recording.providers)
    of = f" of {counted(count, 'provider')}" if count else ""
    wrong = [
        f"{value:,} {words}"
        for value, words in (
            (total.denied, "denied"),
            (total.throttled, "asked to wait"),
            (total.failed, "failed"),
            (total.retries, "tried again"),
        )
        if value
    ]
    sentence = f"{calls}{of} in {duration(recording.seconds)}"
    sentence += f"; {', '.join(wrong)}" if wrong else ""
    state = FAULTS if total.failed else DENIED if total.denied else WELL
    return Verdict(state, "Calls", f"{sentence}.")


def attempts(data: ReportData) -> Iterator[tuple[str, str, int]]:
    """Yield endpoint, what came instead of an answer, and how often; most first."""
    found = sorted(data.recording.failures.items(), key=lambda item: -item[1])
    for (label, came), count in found:
        yield label, f"answered {came}" if isinstance(came, int) else came, count
