"""Asyncio client SDK for the Healthy Roster API (unofficial).

See ``ConnectionPool`` for where to begin.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from healthyroster_async._core.access import AccessCell, AccessMap
from healthyroster_async._core.access_grid import Grant
from healthyroster_async._core.contract import Contract
from healthyroster_async._core.credentials import Credentials, Secret
from healthyroster_async._core.endpoint import Endpoint
from healthyroster_async._core.errors import (
    AnswerTooLargeError,
    AttemptTimeoutError,
    AuthenticationError,
    CallError,
    CertificateError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceededError,
    DecodingError,
    DestinationError,
    ForbiddenError,
    HealthyRosterError,
    InnerCancellationError,
    InvalidRequestError,
    KnownDenialError,
    LikelyCause,
    MissingExtraError,
    NotFoundError,
    PoolClosedError,
    ProtocolError,
    QueueFullError,
    RateLimitedError,
    RedirectError,
    ResponseError,
    ServerError,
    ServiceUnavailableError,
    TransportError,
    UsageError,
    WrongDestinationError,
)
from healthyroster_async._core.messages import Request, Response
from healthyroster_async._core.outcome import (
    Denied,
    Failed,
    Outcome,
    Outcomes,
    Progress,
    Skipped,
    Succeeded,
)
from healthyroster_async._core.settings import (
    AnswerSettings,
    Budget,
    Environment,
    Limit,
    PacingSettings,
    Priority,
    RetrySettings,
    Timeouts,
)
from healthyroster_async._policies.pacing import PacingEvent
from healthyroster_async._pool import ConnectionPool
from healthyroster_async._resources.namespace import SessionOperations
from healthyroster_async._resources.reporting import Reporting
from healthyroster_async._session import ProviderSession
from healthyroster_async._version import __version__

if TYPE_CHECKING:
    from healthyroster_async._core.access_report import (
        AccessFinding,
        AccessReport,
        Basis,
    )
    from healthyroster_async._core.events import (
        AttemptEvent,
        CallEvent,
        DeniedEvent,
        RetryEvent,
        StreamEvent,
    )
    from healthyroster_async._core.operation import Operation
    from healthyroster_async._core.paging import Paging
    from healthyroster_async._core.values import File
    from healthyroster_async._progress import ProgressBar
    from healthyroster_async._report.report import PoolReport
    from healthyroster_async._resources.operations import OperationCall
    from healthyroster_async._rows.stream import RowStream
    from healthyroster_async._rows.typed import BadRow
    from healthyroster_async._stats import EnvironmentStats, PoolStats
    from healthyroster_async._sync import SyncPool, SyncRowStream, SyncSession
    from healthyroster_async.pull import PullPlan

__all__ = [
    "AccessCell",
    "AccessFinding",
    "AccessMap",
    "AccessReport",
    "AnswerSettings",
    "AnswerTooLargeError",
    "AttemptEvent",
    "AttemptTimeoutError",
    "AuthenticationError",
    "BadRow",
    "Basis",
    "Budget",
    "CallError",
    "CallEvent",
    "CertificateError",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLostError",
    "ConnectionPool",
    "Contract",
    "Credentials",
    "DeadlineExceededError",
    "DecodingError",
    "Denied",
    "DeniedEvent",
    "DestinationError",
    "Endpoint",
    "Environment",
    "EnvironmentStats",
    "Failed",
    "File",
    "ForbiddenError",
    "Grant",
    "HealthyRosterError",
    "InnerCancellationError",
    "InvalidRequestError",
    "KnownDenialError",
    "LikelyCause",
    "Limit",
    "MissingExtraError",
    "NotFoundError",
    "Operation",
    "OperationCall",
    "Outcome",
    "Outcomes",
    "PacingEvent",
    "PacingSettings",
    "Paging",
    "PoolClosedError",
    "PoolReport",
    "PoolStats",
    "Priority",
    "Progress",
    "ProgressBar",
    "ProtocolError",
    "ProviderSession",
    "PullPlan",
    "QueueFullError",
    "RateLimitedError",
    "RedirectError",
    "Reporting",
    "Request",
    "Response",
    "ResponseError",
    "RetryEvent",
    "RetrySettings",
    "RowStream",
    "Secret",
    "ServerError",
    "ServiceUnavailableError",
    "SessionOperations",
    "Skipped",
    "StreamEvent",
    "Succeeded",
    "SyncPool",
    "SyncRowStream",
    "SyncSession",
    "Timeouts",
    "TransportError",
    "UsageError",
    "WrongDestinationError",
    "__version__",
]

# Where the names are that most programs do without: each is imported when it is first
# asked for. That makes the import of the others a third faster.
_LATER = {
    "AccessFinding": "._core.access_report",
    "AccessReport": "._core.access_report",
    "AttemptEvent": "._core.events",
    "BadRow": "._rows.typed",
    "Basis": "._core.access_report",
    "CallEvent": "._core.events",
    "DeniedEvent": "._core.events",
    "EnvironmentStats": "._stats",
    "File": "._core.values",
    "Operation": "._core.operation",
    "OperationCall": "._resources.operations",
    "Paging": "._core.paging",
    "PoolReport": "._report.report",
    "PoolStats": "._stats",
    "ProgressBar": "._progress",
    "PullPlan": ".pull",
    "RetryEvent": "._core.events",
    "RowStream": "._rows.stream",
    "StreamEvent": "._core.events",
    "SyncPool": "._sync",
    "SyncRowStream": "._sync",
    "SyncSession": "._sync",
}

if not TYPE_CHECKING:  # a type checker would take any name to be there

    def __getattr__(name: str) -> object:
        """Import a name that is not there yet."""
        if name == "pull":
            return import_module(".pull", __name__)
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_LATER[name], __name__), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LATER})
