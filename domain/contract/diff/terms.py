"""Terms: what was promised about stability and notice, and which day it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

STABILITIES = ("draft", "alpha", "beta", "stable")
"""From the least to the most stable; what says nothing is stable."""

DEFAULT_NOTICE_DAYS: Mapping[str, int] = {"beta": 0, "stable": 0}


@dataclass(frozen=True, slots=True)
class Terms:
    """What the comparison goes by.

    `today` is the day at which notice is counted. `notice_days` says, for each stability level,
    how long before its sunset something is deprecated at the latest; 0 also means that no sunset
    need be given. What is less stable than `stable_from` may change in any way: that is info.
    """

    today: date
    notice_days: Mapping[str, int] = field(default_factory=lambda: DEFAULT_NOTICE_DAYS)
    stable_from: str = "beta"

    def notice(self, stability: str) -> int:
        """Return the days of notice that something of this stability needs."""
        return self.notice_days.get(stability or "stable", 0)

    def is_promised(self, stability: str) -> bool:
        """Whether something of this stability must not break."""
        return _rank(stability) >= _rank(self.stable_from)


def _rank(stability: str) -> int:
    return STABILITIES.index(stability) if stability in STABILITIES else len(STABILITIES)


def less_stable(one: str, other: str) -> bool:
    """Whether the one level promises less than the other; "" is stable."""
    return _rank(one or "stable") < _rank(other or "stable")
