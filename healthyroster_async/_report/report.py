"""A report in hand: shown in a notebook, or saved as a file."""

from __future__ import annotations

import datetime as dt
import os
import platform
import secrets
from pathlib import Path
from typing import Self

from typing_extensions import override

from healthyroster_async._core.access_report import AccessReport
from healthyroster_async._core.contract import Contract
from healthyroster_async._core.errors import DestinationError, WrongDestinationError
from healthyroster_async._core.files import write_whole
from healthyroster_async._core.home import at_home
from healthyroster_async._core.recording import Recording
from healthyroster_async._core.settings import Environment
from healthyroster_async._report.data import PullShown, ReportData, host_of
from healthyroster_async._report.outcome import verdict
from healthyroster_async._report.page import page, piece
from healthyroster_async._version import __version__


class PoolReport:
    """What a pool did, as one HTML page that loads nothing.

    It holds counts, names of data sources and ids of providers, and no health data. A
    notebook shows it; ``save`` writes it for a browser.
    """

    def __init__(self, data: ReportData) -> None:
        self._data = data

    @classmethod
    def of(
        cls,
        *,
        environment: Environment,
        contract: Contract,
        recording: Recording,
        pull: PullShown | None,
        access: AccessReport | None,
    ) -> Self:
        """Make one of what the pool knows."""
        data = ReportData(
            environment=environment.value,
            host=host_of(contract.base_urls[environment]),
            recording=recording,
            made_at=dt.datetime.now().astimezone(),
            version=__version__,
            python=platform.python_version(),
            pull=pull,
            access=access,
        )
        return cls(data)

    @property
    def html(self) -> str:
        """The whole page."""
        return page(self._data)

    def save(self, path: str | Path) -> Path:
        """Write the page, and return where it is.

        A file of that name is replaced when the new one is whole. It touches the disk:
        where an event loop must not wait, call it in a thread.

        Raises:
            DestinationError: It cannot be written.
        """
        path = at_home(path)
        try:
            write_whole(path, self.html.encode())
        except OSError as error:
            text = error.strerror or type(error).__name__
        else:
            return path
        raise DestinationError(f"the report {path} cannot be written: {text}")

    def _repr_html_(self) -> str:
        return piece(self._data)

    @override
    def __str__(self) -> str:
        return verdict(self._data).sentence

    @override
    def __repr__(self) -> str:
        return f"<PoolReport {self._data.environment}: {verdict(self._data).sentence}>"


def check_writable(path: str | Path) -> None:
    """Find out whether a report could be saved there, before the work is done.

    Raises:
        WrongDestinationError: It could not.
    """
    path = at_home(path)
    partial = _partial(path)
    text = "it is a folder" if path.is_dir() else ""
    if not text:
        try:
            partial.touch(exist_ok=False)
            partial.unlink()
        except OSError as error:
            text = error.strerror or type(error).__name__
    if text:
        raise WrongDestinationError(f"the report {path} cannot be written: {text}")


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
