"""What a process keeps by name for gateways: what nobody uses is forgotten, longest ago first.

What is in use stays: who waits for it would never hear of a change to what took its place.
"""

from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

import prometheus_client

from controlplane.store import UnavailableError

IDLE = 64
"""So many are kept; of more only those that are in use."""
IN_USE = 1_000
"""When so many are in use, there is no room for another."""

NO_ROOM = prometheus_client.Counter(
    "controlplane_gateway_no_room_total",
    "Requests refused because gateways of too many organizations or groups wait already.",
    ["kept"],
)


class NoRoomError(UnavailableError):
    """Gateways of too many organizations or groups wait at this process; try another one."""


class _Used(Protocol):
    @property
    def in_use(self) -> bool: ...


Name = TypeVar("Name", bound=Hashable)
Kept = TypeVar("Kept", bound=_Used)


class Recent(Generic[Name, Kept]):
    """What was asked for most recently, and all that is in use."""

    def __init__(self, what: str) -> None:
        """Keep what is called so, in the plural."""
        self._what = what
        self._kept: OrderedDict[Name, Kept] = OrderedDict()
        self._asked: Counter[Name] = Counter()

    def get(self, name: Name) -> Kept | None:
        """Return what is kept under a name."""
        found = self._kept.get(name)
        if found is not None:
            self._kept.move_to_end(name)
        return found

    def put(self, name: Name, kept: Kept) -> None:
        """Keep what was not there; it is forgotten for none that was. Raises NoRoomError."""
        self.make_room()
        self._kept[name] = kept

    def make_room(self) -> None:
        """Forget what another one takes the place of. Raises NoRoomError."""
        surplus = len(self._kept) + 1 - IDLE
        if surplus > 0:
            idle = [name for name, each in self._kept.items() if not self._is_used(name, each)]
            for name in idle[:surplus]:
                del self._kept[name]
        if len(self._kept) >= IN_USE:
            NO_ROOM.labels(self._what).inc()
            raise NoRoomError(f"Gateways of {IN_USE:,} {self._what} wait here already.")

    def holds(self, name: Name, kept: Kept) -> bool:
        """Tell whether this is what is kept under a name, still."""
        return self._kept.get(name) is kept

    def drop(self, name: Name, kept: Kept) -> None:
        """Forget this, if it is what is kept."""
        if self.holds(name, kept):
            del self._kept[name]

    def values(self) -> list[Kept]:
        """Return all that is kept."""
        return list(self._kept.values())

    @contextmanager
    def asking(self, name: Name) -> Iterator[None]:
        """Have what is kept under a name count as in use, also if it is only put there."""
        self._asked[name] += 1
        try:
            yield
        finally:
            self._asked[name] -= 1
            if not self._asked[name]:
                del self._asked[name]

    def _is_used(self, name: Name, kept: Kept) -> bool:
        return name in self._asked or kept.in_use
