"""A cursor: a place in the history of one epoch, as clients and gateways keep it."""

import re
from typing import NamedTuple

POSITION_MAX = 2**63 - 1
_FORM = re.compile(r"(\d{1,19})\.(\d{1,19})", re.ASCII)


class Cursor(NamedTuple):
    """The position of the last event before it, which has a meaning in its epoch only.

    A later epoch is after an earlier one, whatever the positions.
    """

    epoch: int
    position: int

    def __str__(self) -> str:
        """Return the form in which others keep it, such as 1.42."""
        return f"{self.epoch}.{self.position}"


def read_cursor(text: str) -> Cursor | None:
    """Read a cursor back; None if it cannot be one."""
    form = _FORM.fullmatch(text)
    found = form and Cursor(int(form[1]), int(form[2]))
    return found if found and max(found) <= POSITION_MAX else None
