"""Asyncio client SDK for the Healthy Roster API (unofficial).

See ``ConnectionPool`` for where to begin.
"""

from healthyroster_async._core.access import AccessCell, AccessMap
from healthyroster_async._core.access_grid import Grant
from healthyroster_async._core.access_report import (
    AccessFinding,
    AccessReport,
    Basis,
)
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
)
from healthyroster_async._core.events import (
    AttemptEvent,
    CallEvent,
    DeniedEvent,
    RetryEvent,
    StreamEvent,
)
from healthyroster_async._core.messages import Request, Response
from healthyroster_async._core.operation import Operation
from healthyroster_async._core.outcome import (
    Denied,
    Failed,
    Outcome,
    Outcomes,
    Progress,
    Skipped,
    Succeeded,
)
from healthyroster_async._core.paging import Paging
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
from healthyroster_async._core.values import File
from healthyroster_async._policies.pacing import PacingEvent
from healthyroster_async._pool import ConnectionPool
from healthyroster_async._progress import ProgressBar
from healthyroster_async._report.report import PoolReport
from healthyroster_async._resources.operations import (
    OperationCall,
    SessionOperations,
)
from healthyroster_async._resources.reporting import Reporting
from healthyroster_async._rows.stream import RowStream
from healthyroster_async._rows.typed import BadRow
from healthyroster_async._session import ProviderSession
from healthyroster_async._stats import EnvironmentStats
from healthyroster_async._sync import SyncPool
from healthyroster_async._version import __version__
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
    "Timeouts",
    "TransportError",
    "UsageError",
    "__version__",
]
