"""What a pool remembers of itself, for a report about one environment."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthyroster_async._core.access import AccessMap
from healthyroster_async._core.access_grid import Grid
from healthyroster_async._core.contract import Contract
from healthyroster_async._core.endpoint import Endpoint
from healthyroster_async._core.errors import HealthyRosterError
from healthyroster_async._core.recorder import Recorder
from healthyroster_async._core.settings import Environment

# Every pool remembers; few are asked, and only then this is imported.
if TYPE_CHECKING:
    from healthyroster_async._core.access_report import AccessReport
    from healthyroster_async._report.data import PullShown
    from healthyroster_async._report.report import PoolReport
    from healthyroster_async.pull._job import Job
    from healthyroster_async.pull._plan import PullPlan
    from healthyroster_async.pull._report import PullReport


class History:
    """What happened in one environment, in bounded memory.

    Attributes:
        recorder: Counts what every call comes to.
        checked: The last access check, or ``None``.
    """

    def __init__(
        self, environment: Environment, contract: Contract, access: AccessMap
    ) -> None:
        # A clock that nobody sets.
        behind = time.time() - time.monotonic()
        self.recorder = Recorder(time.monotonic, behind=behind)
        self.checked: AccessReport | None = None
        self._environment = environment
        self._contract = contract
        self._access = access
        self._pulled: Callable[[], PullShown] | None = None

    async def pull(
        self, job: Job, plan: PullPlan, destination: str | Path
    ) -> PullReport:
        """Run a pull, and remember what came of it, also if it does not end well."""
        shown = partial(_shown, plan=plan, destination=destination, began=time.time())
        self._pulled = lambda: shown(report=job.so_far(), ended="under way")
        report, ended = None, "broken off"
        try:
            report = await job.run(destination)
        except HealthyRosterError as error:
            ended = f"failed: {error}"
            raise
        else:
            ended = ""
            return report
        finally:
            # What is kept is what came, and not the job.
            self._pulled = partial(shown, report=report or job.so_far(), ended=ended)

    def report(self) -> PoolReport:
        """Return all of it as a page."""
        from healthyroster_async._report.report import PoolReport  # noqa: PLC0415

        return PoolReport.of(
            environment=self._environment,
            contract=self._contract,
            recording=self.recorder.recorded(),
            pull=None if self._pulled is None else self._pulled(),
            access=self.checked or self._known_access(),
        )

    def _known_access(self) -> AccessReport:
        """Return what calls have shown of the grants, as a check would tell it."""
        from healthyroster_async._core.access_report import (  # noqa: PLC0415
            AccessReport,
        )

        grid = Grid()
        providers: dict[str, int | str] = {}
        labels: dict[str, None] = {}
        for provider_id, label, granted in self._access.said():
            grid.put(str(provider_id), label, granted=granted)
            providers.setdefault(str(provider_id), provider_id)
            labels.setdefault(label)
        names = {label: name for name, label in self._contract.labels().items()}
        return AccessReport(
            environment=self._environment,
            application_id="",
            providers=tuple(providers.values()),
            endpoints=tuple(_endpoint(label, names.get(label)) for label in labels),
            grid=grid,
            asked={},
            unclear={},
            not_asked={},
        )


def _endpoint(label: str, name: str | None) -> Endpoint:
    method, _, template = label.partition(" ")
    return Endpoint(name=name or label, method=method, template=template, safe=True)


def _shown(**what: Any) -> PullShown:
    from healthyroster_async._report.data import PullShown  # noqa: PLC0415

    return PullShown(**what)
