"""The keys of all subscriptions as scripts, one for each digit that the hash of a key begins with.

A change of one key makes one of sixteen scripts anew, which Envoy takes in 10 ms where all of
10,000 keys take 70 ms. A script is a table of lines, by the two digits that follow: parsing
strings is several times as fast as parsing a table of each key.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import chain
from typing import NamedTuple, TypeAlias

from domain.plan_terms import AuthKind
from domain.routing import Body
from domain.unserved import Unserved

SHARDS = "0123456789abcdef"
NEVER_MS = 2**53 - 1
NO_HASH = "It has no SHA-256 hash, by which Envoy finds a key."

Line: TypeAlias = tuple[str, str]
"""The digest of a key and what it is good for."""


class Provider(NamedTuple):
    """Whose tokens a plan accepts, for which audience, and which claim names the application."""

    issuer: str
    audience: str
    claim: str

    @classmethod
    def of(cls, plan: Body) -> "Provider":
        """Return the one of a plan of the kind JWT."""
        auth = plan["auth"]
        return cls(auth["issuer"], auth["audience"], auth["claim"])

    @property
    def id(self) -> str:
        """A name without blanks."""
        return sha256("\n".join(self).encode()).hexdigest()[:16]


@cache
def script(name: str) -> str:
    """Return a script that is kept beside this module."""
    return files(__package__).joinpath(f"envoy_{name}.lua").read_text()


class _Held(NamedTuple):
    """A subscription with its plan, and what was made of them."""

    row: Body
    plan: Body | None
    lines: set[Line]


class Keys:
    """The lines of all subscriptions, kept from one rendering to the next."""

    def __init__(self) -> None:
        """Begin without any."""
        self._held: dict[str, _Held] = {}
        self._unserved: dict[str, list[str]] = {}
        self._lines: dict[str, dict[str, set[Line]]] = {digit: {} for digit in SHARDS}
        self._tables: dict[str, dict[str, str]] = {digit: {} for digit in SHARDS}
        self._scripts: dict[str, str] = {}

    def update(
        self,
        subscriptions: Iterable[Body],
        plans: Mapping[str, Body],
        changed: Mapping[str, Body | None] | None = None,
    ) -> None:
        """Take in which subscriptions there are; those that are the same objects cost little.

        They cost nothing if it is known which have changed, None for those that are gone, and
        the plans are the same objects.
        """
        if changed is None:
            now = {row["id"]: row for row in subscriptions}
            gone = dict.fromkeys(self._held.keys() - now.keys())
            changed = {**now, **gone}
        for id_, row in changed.items():
            plan, known = plans.get(row["plan"]) if row else None, self._held.get(id_)
            if known is not None and known.row is row and known.plan is plan:
                continue
            before = self._held.pop(id_).lines if known is not None else set()
            self._unserved.pop(id_, None)
            after: set[Line] = set()
            if row is not None:
                after = set(_lines(row, plan))
                self._held[id_] = _Held(row, plan, after)
                if refused := [key["id"] for key in row["keys"] if not key["sha256"]]:
                    self._unserved[id_] = refused
            self._replace(before - after, after - before)

    def scripts(self) -> dict[str, str]:
        """Return the script of each digit, the same object as before if nothing in it changed."""
        for digit in SHARDS:
            if digit not in self._scripts:
                table = self._tables[digit]
                lines = "".join(f'["{at}"]="{table[at]}",\n' for at in sorted(table))
                self._scripts[digit] = f"local KEYS = {{\n{lines}}}\n{script('find')}"
        return dict(self._scripts)

    @property
    def unserved(self) -> list[Unserved]:
        """The keys that no call can show: they are known by another hash only."""
        ids = chain.from_iterable(self._unserved[id_] for id_ in sorted(self._unserved))
        return [Unserved("key", id_, NO_HASH) for id_ in ids]

    def _replace(self, gone: set[Line], new: set[Line]) -> None:
        for line in gone:
            self._lines[line[0][0]][line[0][1:3]].discard(line)
        for line in new:
            self._lines[line[0][0]].setdefault(line[0][1:3], set()).add(line)
        for digit, at in {(digest[0], digest[1:3]) for digest, _ in gone | new}:
            now = sorted(self._lines[digit][at])
            if now:
                self._tables[digit][at] = "".join(f"{key[3:]} {good}\\n" for key, good in now)
            else:
                del self._tables[digit][at], self._lines[digit][at]
            self._scripts.pop(digit, None)


def _lines(row: Body, plan: Body | None) -> Iterator[Line]:
    """Yield a line for each key, or for each product that a token gives access to.

    A plan that is not there grants nothing, which whoever has its keys is told: 403, not 401.
    """
    said = f"{row['id']} {row['application']} {row['plan']}"
    quota = plan["quota"] if plan is not None else None
    over_until = row.get("over_quota_until") if quota and quota["enforcement"] == "HARD" else None
    over_ms = milliseconds(over_until, 0)
    ends_ms = milliseconds(row["not_after"])
    if plan is not None and plan["auth"]["kind"] == AuthKind.JWT.value:
        provider = Provider.of(plan).id
        for product in plan["products"]:
            # With line feeds, which no header can hold: nobody can show it as a key.
            shown = f"{provider}\n{product}\n{row['application']}"
            yield sha256(shown.encode()).hexdigest(), f"{said} {ends_ms} {over_ms}"
        return
    for key in row["keys"]:
        if key["sha256"]:
            key_ends_ms = min(ends_ms, milliseconds(key["not_after"]))
            yield key["sha256"], f"{said} {key_ends_ms} {over_ms}"


def milliseconds(at: str | None, otherwise: int = NEVER_MS) -> int:
    """Return an instant of a row as milliseconds since 1970, never too late."""
    return max(0, int(datetime.fromisoformat(at).timestamp() * 1000)) if at else otherwise
