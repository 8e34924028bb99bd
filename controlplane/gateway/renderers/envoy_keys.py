"""The keys of all subscriptions as scripts, one for each digit that the hash of a key begins with.

A change of one key makes one of sixteen scripts anew, which Envoy takes in 10 ms where all of
10,000 keys take 70 ms. A script is a table of lines, by the two digits that follow: parsing
strings is several times as fast as parsing a table of each key.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import chain
from typing import NamedTuple, TypeAlias

from controlplane.gateway.renderers import Unserved
from domain.plan_terms import AuthKind
from domain.routing import Body

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
    lines: list[Line]
    unserved: list[Unserved]


class Keys:
    """The lines of all subscriptions, kept from one rendering to the next."""

    def __init__(self) -> None:
        """Begin without any."""
        self._held: dict[str, _Held] = {}
        self._lines: dict[str, dict[str, set[Line]]] = {digit: {} for digit in SHARDS}
        self._tables: dict[str, dict[str, str]] = {digit: {} for digit in SHARDS}
        self._scripts: dict[str, str] = {}

    def update(self, subscriptions: Iterable[Body], plans: dict[str, Body]) -> None:
        """Take in which subscriptions there are; those that are the same objects cost nothing."""
        held, former = {}, self._held
        for row in subscriptions:
            plan, known = plans.get(row["plan"]), former.pop(row["id"], None)
            if known is None or known.row is not row or known.plan is not plan:
                if known is not None:
                    self._drop(known.lines)
                known = _Held(row, plan, list(_lines(row, plan)), list(_unserved(row)))
                self._put(known.lines)
            held[row["id"]] = known
        for gone in former.values():
            self._drop(gone.lines)
        self._held = held

    def scripts(self) -> dict[str, str]:
        """Return the script of each digit, the same object as before if nothing in it changed."""
        for digit in SHARDS:
            if digit not in self._scripts:
                table = self._tables[digit]
                lines = "".join(f'["{at}"]="{table[at]}",\n' for at in sorted(table))
                self._scripts[digit] = f"local KEYS = {{\n{lines}}}\n{script('find')}"
        return dict(self._scripts)

    def unserved(self) -> Iterator[Unserved]:
        """Yield the keys that no call can show: they are known by another hash only."""
        return chain.from_iterable(held.unserved for held in self._held.values())

    def _put(self, lines: list[Line]) -> None:
        for line in lines:
            digest = line[0]
            self._lines[digest[0]].setdefault(digest[1:3], set()).add(line)
        self._print(lines)

    def _drop(self, lines: list[Line]) -> None:
        for line in lines:
            digest = line[0]
            self._lines[digest[0]][digest[1:3]].discard(line)
        self._print(lines)

    def _print(self, lines: list[Line]) -> None:
        for digit, at in {(digest[0], digest[1:3]) for digest, _ in lines}:
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
    over_ms = milliseconds(row.get("over_quota_until"), 0)
    ends_ms = milliseconds(row["not_after"])
    if plan is not None and plan["auth"]["kind"] == AuthKind.JWT.value:
        provider = Provider.of(plan).id
        for product in plan["products"]:
            shown = f"{provider} {product} {row['application']}"
            yield sha256(shown.encode()).hexdigest(), f"{said} {ends_ms} {over_ms}"
        return
    for key in row["keys"]:
        if key["sha256"]:
            key_ends_ms = min(ends_ms, milliseconds(key["not_after"]))
            yield key["sha256"], f"{said} {key_ends_ms} {over_ms}"


def _unserved(row: Body) -> Iterator[Unserved]:
    for key in row["keys"]:
        if not key["sha256"]:
            yield Unserved("key", key["id"], NO_HASH)


def milliseconds(at: str | None, otherwise: int = NEVER_MS) -> int:
    """Return an instant of a row as milliseconds since 1970, never too late."""
    return int(datetime.fromisoformat(at).timestamp() * 1000) if at else otherwise
