"""How many calls at once an API bears: fewer if more of them only wait longer."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import define, field

_LEAST = 4
# An answer takes so many times as long as it can before that counts as a queue.
_CROWDED = 2.5
_FREE = 1.5
# Less than this nobody notices, and a busy client of its own makes as much.
_NOTICEABLE_S = 0.1
_SMOOTHING = 0.05
# What a lucky call bore is forgotten by and by.
_FADING = 0.998
_LABELS = 256
# So many rejections in a row above every accepted load: it is a bound of concurrency.
_VOTES = 3
_HOLD_S = 60.0


@define(eq=False)
class Concurrency:
    """Lowers a cap when latency grows with the load, or the load itself is refused.

    The time an answer takes is compared with what the same endpoint takes when hardly
    anything is under way: if all take long at once, the server queues what we send, and
    sending less at once costs nothing but the queue.

    Attributes:
        most: The cap that was set; it is never exceeded.
        cap: The cap now.
        crowding: How many times as long as when they are alone answers take, smoothed.
    """

    most: int
    cap: int = field(init=False)
    crowding: float = field(init=False, default=1.0)
    _alone: dict[Hashable, float] = field(init=False, factory=dict)
    _lowered_at: float = field(init=False, default=float("-inf"))
    _raised_at: float = field(init=False, default=float("-inf"))
    _borne: float = field(init=False, default=0.0)
    _votes: int = field(init=False, default=0)
    _refused_above: int | None = field(init=False, default=None)
    _hold: float = field(init=False, default=_HOLD_S)
    _hold_until: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self.cap = self.most

    def accepted(self, label: Hashable, load: int, took: float, now: float) -> None:
        """Note an answer.

        Args:
            label: What was asked for: endpoints differ in how long they take.
            load: Calls under way when it was sent, itself included.
            took: Seconds from sending to the answer.
            now: Time of the answer.
        """
        self._borne = max(float(load), self._borne * _FADING)
        alone = self._alone.get(label)
        if load <= _LEAST:
            if alone is not None or len(self._alone) < _LABELS:
                known = took if alone is None else alone
                self._alone[label] = known + _SMOOTHING * (took - known)
        elif alone is not None and now - took >= self._lowered_at:
            # What was sent before the last step tells of the queue before it.
            slower = took / max(alone, 1e-4) if took > _NOTICEABLE_S else 1.0
            self.crowding += _SMOOTHING * (slower - self.crowding)
            if self.crowding > _CROWDED and load > self.cap // 2:
                self._lowered_at, self.crowding = now, (_CROWDED + _FREE) / 2
                self.cap = max(min(_LEAST, self.most), int(min(load, self.cap) * 0.9))
        free = load <= _LEAST or self.crowding < _FREE
        if free and self.cap < self.most and load >= self.cap:
            self._raise(now, took)

    def _raise(self, now: float, took: float) -> None:
        bound = self._refused_above
        if bound is not None and self.cap >= bound:
            if now < self._hold_until:
                return
            self._hold_until = now + self._hold
        if now - self._raised_at > took:
            self._raised_at = now
            self.cap += 1

    def refused(self, load: int, now: float) -> bool:
        """Note that a call was turned away; return whether the load explains it.

        It does if every load that was ever turned away of late is above every one that
        was accepted: a limit of rate knows nothing of the load.
        """
        if load <= self._borne or load < 2:  # noqa: PLR2004 - one is no concurrency
            self._votes = 0
            if self._refused_above is not None and load <= self._refused_above:
                self._refused_above, self.cap = None, self.most
            return False
        self._votes += 1
        if self._refused_above is not None:
            # Tried again, and refused again.
            self._hold = min(1800.0, 2 * self._hold)
        elif self._votes < _VOTES:
            return False
        self._refused_above = self.cap = max(1, int(self._borne))
        self._hold_until = now + self._hold
        return True
