"""What moved last: up to where the events of each noun are known to this process."""

from collections.abc import Container, Iterable


class News:
    """The last position of each noun, as topics begin: `plan` of plan.defined."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def heard(self, noun: str, position: int) -> None:
        """Take in that something happened to a noun at a position."""
        self._last[noun] = max(position, self._last.get(noun, 0))

    def heard_of(self, topics: Iterable[str], position: int) -> None:
        """Take in that events of these topics happened, the last of them at a position."""
        for topic in topics:
            self.heard(topic.partition(".")[0], position)

    def last(self, *, but: Container[str]) -> int:
        """Return the position of the last event, those of some nouns apart."""
        return max(
            (position for noun, position in self._last.items() if noun not in but), default=0
        )
