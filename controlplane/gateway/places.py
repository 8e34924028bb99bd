"""Places for polls that are held: so many in a process, and of these so many for each caller."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web


class Places:
    """Takes and gives back places; one caller cannot take those of all others."""

    def __init__(self, places: int, each: int) -> None:
        self._places = places
        self._each = each
        self._taken: Counter[str] = Counter()
        self.taken = 0

    @contextmanager
    def one(self, caller: str) -> Iterator[None]:
        """Take a place until the block ends. Raises HTTPServiceUnavailable."""
        if self._taken[caller] >= self._each:
            raise web.HTTPServiceUnavailable(
                text=f"{self._each} polls of this token are held already; end one of them."
            )
        if self.taken >= self._places:
            raise web.HTTPServiceUnavailable(text="Too many polls are held; poll without waiting.")
        self.taken += 1
        self._taken[caller] += 1
        try:
            yield
        finally:
            self.taken -= 1
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]
