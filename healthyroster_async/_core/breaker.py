"""When to stop asking an API that is down, and when to try again."""

from __future__ import annotations

import math

from attrs import define, field

_FAULTS = 5
# A limiter that says nothing lets calls through again before that: few have windows
# longer than a minute, and a probe may come up to 8 s late.
_MUTE_S = 75.0
_FIRST_S = 2.0
_LONGEST_S = 10.0


@define(eq=False)
class Breaker:
    """Opens after several faults in a row; one probe at a time finds the way back.

    It opens as well when for some time all that comes are refusals that say nothing.

    Attributes:
        is_open: Whether only probes go.
        opened: How often it opened.
        since: When it opened last.
        faults: How many there were in a row.
    """

    is_open: bool = field(init=False, default=False)
    opened: int = field(init=False, default=0)
    since: float = field(init=False, default=0.0)
    faults: int = field(init=False, default=0)
    _mute_since: float = field(init=False, default=0.0)
    _mute_last: float = field(init=False, default=-math.inf)
    _wait: float = field(init=False, default=_FIRST_S)

    @property
    def in_trouble(self) -> bool:
        """Whether an answer would change anything."""
        return self.faults > 0 or self._mute_last > -math.inf

    def answered(self) -> bool:
        """Note that the API answered; return whether it had been down."""
        self.faults = 0
        self._mute_last = -math.inf
        if not self.is_open:
            return False
        self.is_open = False
        self._wait = _FIRST_S
        return True

    def failed(self, now: float) -> bool:
        """Note a fault of a call that tells something new; return whether it opens."""
        self.faults += 1
        if self.faults < _FAULTS or self.is_open:
            return False
        self.open(now)
        return True

    def turned_away(self, now: float) -> bool:
        """Note a refusal that says nothing; return whether that lasts too long."""
        # While nobody asked nothing else could come.
        if now - self._mute_last > _MUTE_S:
            self._mute_since = now
        self._mute_last = now
        return not self.is_open and now - self._mute_since >= _MUTE_S

    def open(self, now: float) -> None:
        """Let only probes go from now on."""
        self.is_open, self.since = True, now
        self.opened += 1

    def wait(self) -> float:
        """Return how many seconds to wait before the next probe."""
        wait, self._wait = self._wait, min(_LONGEST_S, 2 * self._wait)
        return wait
