"""What the page needs to know, as values."""

from __future__ import annotations

import datetime as dt
import re
from urllib.parse import urlsplit

from attrs import field, frozen

from healthyroster_async._core.access_report import AccessReport
from healthyroster_async._core.recording import Recording
from healthyroster_async.pull._plan import PullPlan
from healthyroster_async.pull._report import PullReport


def place(destination: object) -> str:
    """Return a destination without what could be a secret: user name, query."""
    text = str(destination)
    if "://" not in text:
        return text
    scheme, _, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2]
    if ":" in f"{host}{path}".rpartition("@")[0]:
        # What has a slash in it may be a password as well as a folder.
        return f"{scheme}://..."
    return f"{scheme}://{re.split('[?#;]', f'{host}{slash}{path}', maxsplit=1)[0]}"


def host_of(url: str) -> str:
    """Return the host of a base URL."""
    return urlsplit(url).hostname or ""


@frozen(kw_only=True)
class PullShown:
    """A pull, over or broken off.

    Attributes:
        plan: What was asked for.
        destination: Where it went, without secrets.
        report: What came of it, as far as it came.
        began: When it began, in seconds since 1970.
        ended: Why it ended before its end, or an empty text.
    """

    plan: PullPlan
    destination: str = field(converter=place)
    report: PullReport
    began: float
    ended: str = ""


@frozen(kw_only=True)
class ReportData:
    """Everything that the page shows.

    Attributes:
        environment: Name of the environment.
        host: Host of the API.
        recording: What the pool did.
        made_at: When the page is made.
        version: Version of the package.
        python: Version of Python.
        pull: The last pull, or ``None``.
        access: What is known of the grants, or ``None``.
    """

    environment: str
    host: str
    recording: Recording
    made_at: dt.datetime
    version: str
    python: str
    pull: PullShown | None = None
    access: AccessReport | None = None

    @property
    def zone(self) -> dt.tzinfo:
        """The time zone of the page."""
        return self.made_at.tzinfo or dt.UTC

    def time(self, seconds: float) -> dt.datetime:
        """Return seconds since 1970 as a time of the zone."""
        return dt.datetime.fromtimestamp(seconds, self.zone)
