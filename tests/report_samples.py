"""Reports of small and large jobs, made up: for tests, and to look at the page."""

import datetime as dt
import math
from random import Random

from healthyroster_async._core.access_grid import Grid
from healthyroster_async._core.access_report import AccessReport
from healthyroster_async._core.endpoint import Endpoint
from healthyroster_async._core.recorder import Recorder
from healthyroster_async._core.settings import Environment
from healthyroster_async._report.data import PullShown, ReportData
from healthyroster_async.pull import (
    PullDenial,
    PullFailure,
    PullPlan,
    PullProvider,
    PullReport,
    PullTotal,
)

ZONE = dt.timezone(dt.timedelta(hours=-5), "EST")
BEGAN = dt.datetime(2026, 1, 15, 1, 58, 47, tzinfo=ZONE).timestamp()
ROWS = "POST /HealthcareProvider/{id}/Datasources/{dataSourceId}/Data"
LIST = "GET /HealthcareProvider/{id}/Datasources"
DENIED = "provider not granted"
AWAY = f"{ROWS}: the API answered 503"
CUT = f"{ROWS}: the connection was lost while the answer was read"
ENDPOINTS = tuple(
    Endpoint(name=name, method=label.split()[0], template=label.split()[1], safe=True)
    for name, label in (("data_sources", LIST), ("rows", ROWS))
)


class Clock:
    def __init__(self, now=BEGAN):
        self.now = now

    def __call__(self):
        return self.now


def recorded(  # noqa: C901 - a story, told in one go
    seconds, providers, *, calls, seed=1, faults=True
):
    """Return what a pool records that makes so many calls in so many seconds."""
    rng, clock = Random(seed), Clock()
    recorder = Recorder(clock)
    limit = calls / seconds
    rate = limit * 1.15
    recorder.pace = lambda: (rate, "learned 600 per 60 s")
    outage = (0.62 * seconds, 0.68 * seconds) if faults else (2 * seconds,) * 2
    down, resumed = False, 0.0
    for number in range(calls):
        at = seconds * (number + rng.random()) / calls
        clock.now = max(clock.now, BEGAN + at)
        who = providers[number % len(providers)]
        label = LIST if number < len(providers) else ROWS
        took = 0.08 * math.exp(rng.gauss(0, 0.5))
        if outage[0] < at < outage[1]:
            if not down:
                recorder.paced("down", seconds / 50)
                down = True
            if number % 9 == 0:
                recorder.attempted(who, label, "ConnectError", took)
            continue
        if at < resumed:
            continue
        if down:
            recorder.paced("up", 0.0)
            down = False
        if faults and rng.random() < 0.02:
            came = rng.choice([503, 500, "ConnectionLostError", "AttemptTimeoutError"])
            recorder.attempted(who, label, came, took)
            recorder.retried(who, label)
            continue
        if faults and number and number % max(calls // 7, 1) == 0:
            for _ in range(max(calls // 150, 1)):
                recorder.attempted(who, label, 429, took)
                recorder.retried(who, label)
            rate *= 0.9
            resumed = at + seconds / 40
            recorder.paced("paused", seconds / 40)
            continue
        rate = min(rate * (1 + 0.5 / calls), limit * 1.2)
        if faults and str(who).endswith("7"):
            recorder.attempted(who, label, 403, took)
            continue
        recorder.attempted(who, label, 200, took)
        if label == ROWS:
            rows = rng.randrange(2000)
            recorder.streamed(who, label, rows, rows * 270, min(seconds / 50, 2.0))
    return recorder.recorded()


def access(providers, endpoints=ENDPOINTS, denied=("7",)):
    grid = Grid()
    for who in providers:
        for endpoint in endpoints:
            refused = str(who).endswith(tuple(denied)) if denied else False
            grid.put(str(who), endpoint.label, granted=not refused)
    return AccessReport(
        environment=Environment.SANDBOX,
        application_id="app-id",
        providers=tuple(providers),
        endpoints=tuple(endpoints),
        grid=grid,
        asked={},
        unclear={},
        not_asked={},
    )


def pulled(providers, sources, recording, *, failed=(), denied=(), ended=""):
    """Return a pull whose numbers are those of a recording."""
    windows = 12
    plan = PullPlan(providers, since="2025-01-01", until="2026-01-01", window="month")
    tallies = recording.providers
    ones = [
        PullProvider(
            provider_id=who,
            partitions=len(sources) * windows,
            done=len(sources) * windows
            - sum(str(f.provider_id) == str(who) for f in failed),
            rows=tallies[str(who)].rows if str(who) in tallies else 0,
            bytes=tallies[str(who)].bytes if str(who) in tallies else 0,
        )
        for who in providers
        if str(who) not in map(str, denied)
    ]
    rows, size = sum(o.rows for o in ones), sum(o.bytes for o in ones)
    shares = [1 / (place + 1) for place in range(len(sources))]
    totals = [
        PullTotal(
            source=source,
            partitions=len(ones) * windows,
            rows=int(rows * share / sum(shares)),
            bytes=int(size * share / sum(shares)),
            drift=("score: number, sometimes text",) if place == 2 else (),
            whole=place == 1,
        )
        for place, (source, share) in enumerate(zip(sources, shares, strict=True))
    ]
    report = PullReport(
        environment="sandbox",
        partitions=sum(o.partitions for o in ones),
        done=sum(o.done for o in ones),
        kept=0,
        rows=rows,
        bytes=size,
        seconds=recording.seconds,
        totals=tuple(totals),
        providers=tuple(ones),
        denied=tuple(
            PullDenial(provider_id=who, source=None, reason=DENIED) for who in denied
        ),
        failed=tuple(failed),
    )
    where = "s3://key:hidden-secret@bucket/lake?token=hidden-secret"
    return PullShown(
        plan=plan, destination=where, report=report, began=BEGAN, ended=ended
    )


def data(recording, pull=None, access=None):
    return ReportData(
        environment="sandbox",
        host="sandbox.example.com",
        recording=recording,
        made_at=dt.datetime.fromtimestamp(BEGAN + recording.seconds, ZONE),
        version="0.1.0",
        python="3.11.9",
        pull=pull,
        access=access,
    )


NAMES = ("Patients", "Encounters", "Injuries", "Teams", "Appointments", "Rosters")


def small():
    """Two seconds, four providers, nothing wrong."""
    ids = [1, 2, 3, 4]
    recording = recorded(2.0, ids, calls=60, faults=False)
    return data(recording, pulled(ids, NAMES[:2], recording), access(ids, denied=()))


def usual():
    """Four minutes, twenty providers, some of them denied or failed."""
    ids = list(range(1, 21))
    recording = recorded(252.0, ids, calls=2600)
    failed = [
        PullFailure(provider_id=4, source="Injuries", window=f"2025-0{n}", reason=AWAY)
        for n in range(1, 8)
    ]
    failed.append(
        PullFailure(provider_id=9, source="Teams", window="2025-11", reason=CUT)
    )
    pull = pulled(ids, NAMES, recording, failed=failed, denied=[7, 17])
    return data(recording, pull, access(ids))


def large():
    """Nine hours, 300 providers with 30 data sources, long names."""
    ids = list(range(1001, 1301))
    sources = [
        f"{NAMES[n % 6]} of the athletic training department, section {n}"
        for n in range(30)
    ]
    recording = recorded(32_400.0, ids, calls=60_000)
    failed = [
        PullFailure(
            provider_id=ids[n % 90], source=sources[n % 30], window=f"w{n}", reason=AWAY
        )
        for n in range(300)
    ]
    failed.append(
        PullFailure(provider_id=1003, source=sources[1], window="x", reason=CUT)
    )
    denied = [who for who in ids if str(who).endswith("7")]
    pull = pulled(ids, sources, recording, failed=failed, denied=denied)
    endpoints = [
        Endpoint(
            name=f"get_thing_{n}", method="GET", template=f"/things/{n}", safe=True
        )
        for n in range(30)
    ]
    return data(recording, pull, access(ids, endpoints))


def nothing():
    """A pool that made no call."""
    return data(Recorder(Clock()).recorded())


def all_failed():
    """A pull of which nothing came, and which was broken off."""
    ids = [1, 2, 3]
    clock = Clock()
    recorder = Recorder(clock)
    for number in range(12):
        clock.now += 0.7
        recorder.attempted(ids[number % 3], LIST, "ConnectError", 0.01)
    recording = recorder.recorded()
    failed = [
        PullFailure(provider_id=who, source=None, window=None, reason=AWAY)
        for who in ids
    ]
    plan = PullPlan(ids)
    report = PullReport(
        environment="sandbox", partitions=0, done=0, kept=0, rows=0, bytes=0,
        seconds=8.4, failed=tuple(failed),
    )  # fmt: skip
    pull = PullShown(
        plan=plan, destination="lake", report=report, began=BEGAN, ended="broken off"
    )
    return data(recording, pull)


def calls_only():
    """A pool of a web app: no pull."""
    return data(recorded(600.0, ["north", "south"], calls=4000))


SAMPLES = {
    one.__name__: one for one in (small, usual, large, nothing, all_failed, calls_only)
}
