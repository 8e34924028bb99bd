"""Which rows of an organization a gateway group has: what it was, what it is, what changed it.

Everything here is a function of intervals: a row of the read model and the positions between
which it held. Whoever loads them anew and whoever follows them one by one agree on every byte.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec
import orjson

from domain import config_document
from domain.routing import GROUP, KINDS, PLAN, PRODUCT, SUBSCRIPTION, VERSION

HEAD = ("id", "slug", "environment", "confirmed_epoch")
"""What gateways are told of their group."""
Key: TypeAlias = tuple[str, str]
"""Kind and id of a row."""


class Interval(NamedTuple):
    """A row as it held from one position until before another; None while it holds."""

    key: Key
    from_position: int
    until_position: int | None
    body: bytes
    parents: tuple[Key, ...]
    """The rows one of which must hold for this one to matter: it grants nothing by itself."""
    leaf: bytes

    def holds_at(self, position: int) -> bool:
        """Tell whether it held at a position."""
        until = self.until_position
        return self.from_position <= position and (until is None or position < until)


Look: TypeAlias = Callable[[Key], Interval | None]
"""Finds a row at one moment."""
Changes: TypeAlias = Mapping[Key, Interval | None]
"""Rows that are different now, None for those that are gone."""


class _Links(msgspec.Struct):
    product: str = ""
    plan: str = ""
    products: list[str] = []  # msgspec copies it


_LINKS = msgspec.json.Decoder(_Links)


def interval(
    kind: str, id_: str, from_position: int, until_position: int | None, body: str
) -> Interval:
    """Return a row of the read model."""
    encoded = body.encode()
    leaf = config_document.leaf(kind, encoded)
    return Interval(
        (kind, id_), from_position, until_position, encoded, _parents(kind, encoded), leaf
    )


def _parents(kind: str, body: bytes) -> tuple[Key, ...]:
    if kind in {PRODUCT, GROUP}:
        return ()
    links = _LINKS.decode(body)
    if kind == SUBSCRIPTION:
        return ((PLAN, links.plan),)
    if kind == VERSION:
        return ((PRODUCT, links.product),)
    return tuple((PRODUCT, product) for product in links.products)


class Group:
    """A gateway group: its environment, and the products it serves, none named for all."""

    def __init__(self, row: Interval) -> None:
        body: dict[str, Any] = orjson.loads(row.body)
        self.row = row
        self.id: str = body["id"]
        self.slug: str = body["slug"]
        self.products: list[str] = body["products"]
        self.released_position: int = body["released_position"]
        self.shrink_intended_until: str | None = body["shrink_intended_until"]
        self.head = {name: body[name] for name in HEAD}
        self.from_position = row.from_position
        self._serves = frozenset(self.products)
        self.withheld: dict[Key, Interval] = {}
        """Products that have ended and are handed out nevertheless."""

    def serves(self, product_id: str) -> bool:
        """Tell whether a product is one of the group's."""
        return not self._serves or product_id in self._serves

    def withhold(self, products: Iterable[Interval]) -> None:
        """Go on handing out the rows of these products, as if they had not ended."""
        self.withheld = {row.key: row for row in products}

    def find(self, key: Key, look: Look) -> Interval | None:
        """Return a row at the moment of `look`, or what is handed out in its place."""
        return look(key) or self.withheld.get(key)

    def has(self, row: Interval | None, look: Look) -> bool:
        """Tell whether a row is one of the group's, at the moment of `look`.

        A product is if the group serves it; any other row if one of its parents is.
        """
        if row is None:
            return False
        kind, id_ = row.key
        if kind == PRODUCT:
            return self.serves(id_)
        return any(self.has(self.find(parent, look), look) for parent in row.parents)


class Live:
    """The rows of an organization that hold now, and which rows name each as a parent."""

    def __init__(self, rows: Iterable[Interval]) -> None:
        self.rows: dict[Key, Interval] = {}
        self._children: dict[Key, set[Key]] = {}
        for row in rows:
            self.put(row)

    def put(self, row: Interval) -> None:
        """Have a row hold, in place of what held under its key."""
        self.drop(row.key)
        self.rows[row.key] = row
        for parent in row.parents:
            self._children.setdefault(parent, set()).add(row.key)

    def drop(self, key: Key) -> None:
        """Have a row hold no more; again does nothing."""
        row = self.rows.pop(key, None)
        for parent in row.parents if row else ():
            self._children[parent].discard(key)

    def children(self, key: Key) -> Collection[Key]:
        """Return the rows that name this one as a parent."""
        return self._children.get(key, ())


def before(intervals: Iterable[Interval], position: int) -> Changes:
    """Return what the rows were at a position, of which these are all the intervals since."""
    rows: dict[Key, Interval | None] = {}
    for each in intervals:
        rows.setdefault(each.key, None)
        if each.holds_at(position):
            rows[each.key] = each
    return rows


def moved(earlier: Changes, live: Live) -> int:
    """Return how many rows must be looked at to tell a difference: those below products too."""
    gone_or_new = [
        key
        for key, row in earlier.items()
        if key[0] == PRODUCT and (row is None) is not (key not in live.rows)
    ]
    plans = [plan for key in gone_or_new for plan in live.children(key)]
    return len(earlier) + sum(len(live.children(key)) for key in (*gone_or_new, *plans))


def difference(group: Group, live: Live, earlier: Changes) -> Changes:
    """Return how the group's rows now differ from those at an earlier moment.

    `earlier` holds what has changed since, as it was. The cost is that of the changes, and of the
    rows below a product or plan that came or went.
    """

    def look(key: Key) -> Interval | None:
        return earlier[key] if key in earlier else live.rows.get(key)

    def seen(key: Key, at: Look) -> Interval | None:
        row = group.find(key, at)
        return row if group.has(row, at) else None

    concerned = set(earlier)
    for kind in (PRODUCT, PLAN):
        for key in [key for key in concerned if key[0] == kind]:
            if (seen(key, look) is None) is not (seen(key, live.rows.get) is None):
                concerned.update(live.children(key))
    changes: dict[Key, Interval | None] = {}
    for key in concerned:
        was, now = seen(key, look), seen(key, live.rows.get)
        if (was and was.body) != (now and now.body):
            changes[key] = now
    return changes


def difference_within(rows: int, group: Group, live: Live, earlier: Changes) -> Changes | None:
    """Return the difference, None if more rows would have to be looked at for it."""
    return difference(group, live, earlier) if moved(earlier, live) <= rows else None


def changes_of(
    group: Group, intervals: Iterable[Interval], look_at: Callable[[int], Look], after: int
) -> Iterator[int]:
    """Yield the positions after `after` at which an interval of the group began or ended.

    The newest first, each once; `look_at` finds rows as of a position. The group itself is one.
    """
    moments = [(each.from_position, each.from_position, each) for each in intervals]
    moments += [
        (each.until_position, each.until_position - 1, each)
        for each in intervals
        if each.until_position is not None
    ]
    told = None
    for position, seen_at, each in sorted(moments, key=lambda moment: -moment[0]):
        if position <= after:
            break
        own = each.key == group.row.key
        if position != told and (own or group.has(each, look_at(seen_at))):
            told = position
            yield position


def last_change(
    group: Group, intervals: Iterable[Interval], look_at: Callable[[int], Look], after: int
) -> int:
    """Return the newest of the positions of `changes_of`; `after` when there is none."""
    return next(changes_of(group, intervals, look_at, after), after)


def look_through(intervals: Iterable[Interval], live: Live) -> Callable[[int], Look]:
    """Return how to find rows as of a position since which these are all the intervals."""
    by_key: dict[Key, list[Interval]] = {}
    for each in intervals:
        by_key.setdefault(each.key, []).append(each)

    def look_at(position: int) -> Look:
        def look(key: Key) -> Interval | None:
            if key not in by_key:
                return live.rows.get(key)
            return next((each for each in by_key[key] if each.holds_at(position)), None)

        return look

    return look_at


class View:
    """The rows of one group now, with their hash and the cursor of their last change."""

    def __init__(self, group: Group, live: Live) -> None:
        self.group = group
        self.cursor = group.from_position
        self.rows = {
            key: row
            for key, row in {**live.rows, **group.withheld}.items()
            if key[0] in KINDS and group.has(row, live.rows.get)
        }
        self._ids: dict[str, list[str]] = {kind: [] for kind in KINDS}
        for kind, id_ in self.rows:
            self._ids[kind].append(id_)
        for ids in self._ids.values():
            ids.sort()
        self.size_bytes = sum(len(row.body) + 1 for row in self.rows.values())
        head = config_document.leaf(GROUP, config_document.canonical(group.head))
        self._hash = config_document.ContentHash([head, *(row.leaf for row in self.rows.values())])
        self.content_hash = self._hash.hexdigest()

    def change(self, changes: Changes) -> None:
        """Take in how the group's rows differ from before."""
        for key, now in changes.items():
            kind, id_ = key
            was = self.rows.pop(key, None)
            if was is not None:
                self._hash.remove(was.leaf)
                self.size_bytes -= len(was.body) + 1
            if now is not None:
                self.rows[key] = now
                self._hash.add(now.leaf)
                self.size_bytes += len(now.body) + 1
            ids = self._ids[kind]
            if was is None and now is not None:
                insort(ids, id_)
            elif was is not None and now is None:
                del ids[bisect_left(ids, id_)]
        self.content_hash = self._hash.hexdigest()

    def bodies(self) -> dict[str, list[bytes]]:
        """Return all rows by kind, each kind in the order of its ids."""
        return {kind: self.bodies_of(kind) for kind in KINDS}

    def bodies_of(self, kind: str) -> list[bytes]:
        """Return all rows of a kind in the order of their ids."""
        return [self.rows[kind, id_].body for id_ in self._ids[kind]]
