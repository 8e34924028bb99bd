"""What one poll of the configuration asks for."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from controlplane.gateway.coding import GZIP, ZSTD, preferred
from controlplane.gateway.document import CursorInvalidError, cursor_of
from domain.cursor import Cursor

WAIT_MAX_S = 60
_WAIT = re.compile(r"\d{1,2}(\.\d{1,3})?", re.ASCII)
_ETAG = re.compile(rf'(?:W/)?"([0-9.]{{3,39}})-([0-9a-f]{{8}})(?:-(?:{GZIP}|{ZSTD}))?"')


class Tag(NamedTuple):
    """What an ETag of ours names: a configuration, and the keys that were trusted then."""

    cursor: Cursor
    ring_id: str

    def __str__(self) -> str:
        """Return it without quotes and coding."""
        return f"{self.cursor}-{self.ring_id}"


@dataclass(frozen=True)
class Poll:
    """What one poll asks."""

    group: str | None
    since: Cursor | None
    tags: tuple[Tag, ...]
    wait_s: float
    coding: str

    @property
    def held(self) -> tuple[Cursor, ...]:
        """The configurations that the client has, by its cursor and its ETags."""
        cursors = tuple(tag.cursor for tag in self.tags)
        return cursors if self.since is None else (self.since, *cursors)

    def has(self, now: Tag) -> bool:
        """Tell whether the client has all there is; an ETag says more than `since`."""
        return now in self.tags if self.tags else self.since == now.cursor

    @classmethod
    def of(cls, request: web.Request) -> "Poll":
        """Read a request. Raises HTTPBadRequest."""
        query, headers = request.query, request.headers
        wait = query.get("wait", "0")
        if not _WAIT.fullmatch(wait) or float(wait) > WAIT_MAX_S:
            raise web.HTTPBadRequest(text=f"wait is 0 to {WAIT_MAX_S} seconds.")
        try:
            since = cursor_of(query["since"], "since") if "since" in query else None
        except CursorInvalidError as error:
            raise web.HTTPBadRequest(text=f"since: {error}") from None
        tags = tuple(_tags(headers.get("If-None-Match", "")))
        coding = preferred(headers.get("Accept-Encoding", ""))
        return cls(query.get("group"), since, tags, float(wait), coding)


def _tags(header: str) -> "list[Tag]":
    """Return those ETags of a header that are ours: others match nothing."""
    tags = []
    for cursor, ring_id in _ETAG.findall(header):
        try:
            tags.append(Tag(cursor_of(cursor, "If-None-Match"), ring_id))
        except CursorInvalidError:
            continue
    return tags
