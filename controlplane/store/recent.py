"""What this process appended lately: its read models need not read and decode it again."""

from collections import deque
from collections.abc import Sequence

from domain.aggregate import Aggregate
from projections.readmodel import Recorded

KEPT_BYTES = 16 * 2**20
"""By the stored form of the events."""


class Recent:
    """The last events that this process appended, in their order, until they are taken."""

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._events: deque[tuple[Recorded, int]] = deque()

    def add(self, last: int, events: Sequence[Aggregate.Event], sizes_bytes: Sequence[int]) -> None:
        """Keep the events of one save, the last of them at this position."""
        first = last - len(events) + 1
        for position, (event, size_bytes) in enumerate(
            zip(events, sizes_bytes, strict=True), first
        ):
            self._events.append((Recorded(position, event), size_bytes))
            self._held_bytes += size_bytes
        while self._held_bytes > self._limit_bytes:
            self._next()

    def take(self, *, after: int, upto: int) -> list[Recorded] | None:
        """Return the events after a position up to another, None if some are not here."""
        taken: list[Recorded] = []
        while self._events and self._events[0][0].position <= upto:
            recorded = self._next()
            if recorded.position == after + 1 + len(taken):
                taken.append(recorded)
        return taken if len(taken) == upto - after else None

    def _next(self) -> Recorded:
        recorded, size_bytes = self._events.popleft()
        self._held_bytes -= size_bytes
        return recorded
