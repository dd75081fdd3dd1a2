"""How much one caller may ask: a token bucket for each, in memory (limitation de débit)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from time import monotonic
from typing import Final

MOST: Final = 20_000  # Buckets remembered; the one longest unused is forgotten: full again.


class Buckets:
    """A bucket for each caller: `burst` at once, then `rate` a second; rate 0: no limit."""

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = monotonic, most: int = MOST
    ) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._clock = clock
        self._most = most
        self._left: dict[Hashable, tuple[float, float]] = {}  # What was left, and when.

    def wait(self, who: Hashable) -> float:
        """Seconds until one more is granted; 0 when it is now. Takes nothing."""
        if not self._rate:
            return 0.0
        left = self._now(who)[0]
        return 0.0 if left >= 1 else (1 - left) / self._rate

    def take(self, who: Hashable) -> float:
        """Takes one; 0, or the seconds until there is one when there is none."""
        if not self._rate:
            return 0.0
        left, now = self._now(who)
        if left < 1:
            return (1 - left) / self._rate
        if self._left.pop(who, None) is None and len(self._left) >= self._most:
            del self._left[next(iter(self._left))]
        self._left[who] = (left - 1, now)
        return 0.0

    def _now(self, who: Hashable) -> tuple[float, float]:
        now = self._clock()
        left, at = self._left.get(who, (self._burst, now))
        return min(self._burst, left + (now - at) * self._rate), now
