"""A local Healthy Roster: a real HTTP server with synthetic data."""

from healthyroster_async.emulator.faults import Fault
from healthyroster_async.emulator.limits import RateLimit
from healthyroster_async.emulator.seen import Seen
from healthyroster_async.emulator.server import Emulator

__all__ = ["Emulator", "Fault", "RateLimit", "Seen"]
