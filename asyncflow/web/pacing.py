"""How often tabs are told that something has changed, so that all of them together cost little.

What a tab is told makes it fetch. What fetches cost is measured, and a budget spreads the events: while little happens
each goes out at once; with many tabs over much that changes, each tab hears less often.
Tabs that show the same are told of the same moment (a tick), so that what is made for the first of them serves the
others, too (`shared`).
"""

from __future__ import annotations

from typing import NamedTuple

from asyncflow.engine.changes import Mark
from asyncflow.web.kept import Kept

#: share of a core that the fetches of many tabs may take in the long run, and those of a few
SHARE, GENEROUS = 0.05, 0.3
#: tabs that get the generous share, and each its own moment; with more it shrinks
FEW = 10
#: seconds of fetching that may be saved up in quiet times
SAVED = 0.3
#: seconds that a tab waits at most
LONGEST = 10.0
#: seconds that a fetch is taken to cost before one was measured
_UNKNOWN = 0.004
#: weight of the newest fetch in the average
_NEWEST = 0.1


class Budget:
    """The seconds of the event loop that fetches may take."""

    def __init__(self) -> None:
        self._costs: dict[str, float] = {}
        self._free_at = 0.0  #: when all that was given out is earned again

    def spent(self, topic: str, seconds: float) -> None:
        """What one fetch after an event of a topic has cost."""
        known = self._costs.get(topic)
        self._costs[topic] = seconds if known is None else known + _NEWEST * (seconds - known)

    def reserve(self, topic: str, now: float, tabs: int) -> float:
        """The moment at which one event of a topic may go out, while so many tabs are open."""
        share = max(SHARE, GENEROUS * min(1.0, FEW / max(tabs, 1)))
        start = max(self._free_at, now - SAVED / share)
        self._free_at = min(start + self._costs.get(topic, _UNKNOWN) / share, now + LONGEST)
        return max(start, now)

    def behind(self, now: float) -> float:
        """Seconds that the next event has to wait."""
        return max(0.0, self._free_at - now)


class Tick(NamedTuple):
    """The moment that tabs which show the same are told of."""

    mark: Mark
    over_at: float


class Ticks:
    """The present tick of each thing that is shown."""

    def __init__(self) -> None:
        self._ticks = Kept[Tick](4096)

    def present(self, channel: tuple[str, str], now: float) -> Tick | None:
        """The present one, if it is not over."""
        tick = self._ticks.get(channel)
        return tick if tick is not None and tick.over_at > now else None

    def tick(self, channel: tuple[str, str], now: float, mark: Mark, lasts: float) -> Tick:
        """The present one; a new one, of the present `mark`, when the last is over."""
        tick = self.present(channel, now)
        if tick is None:
            tick = Tick(mark, now + lasts)
            self._ticks.keep([(channel, tick)])
        return tick
