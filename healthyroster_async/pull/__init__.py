"""Many providers, many data sources, one job that can be killed and run again."""

from healthyroster_async.pull._plan import PullPlan
from healthyroster_async.pull._report import (
    PullDenial,
    PullFailure,
    PullGone,
    PullProgress,
    PullProvider,
    PullReport,
    PullTotal,
)

__all__ = [
    "PullDenial",
    "PullFailure",
    "PullGone",
    "PullPlan",
    "PullProgress",
    "PullProvider",
    "PullReport",
    "PullTotal",
]
