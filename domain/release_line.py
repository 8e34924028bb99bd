"""A release line: the versions of one API of a product that were ever published."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID, uuid5

from semver import Version

from domain.aggregate import Aggregate, First, Value, Why

NAMESPACE = UUID("5c1f8a36-0d0b-5f0e-8f63-2f4f6a0c9b1e")


@dataclass(frozen=True)
class Release(Value):
    """A version that was published, and its number."""

    NAME = "release"
    version_id: UUID
    number: str


def below(number: str, releases: Mapping[UUID, str]) -> list[UUID]:
    """Return what a version with this number may follow, the next one below it first.

    Whatever follows a pre-release follows what came before that too, which promised more: so
    pre-releases come last. Another build of the same number is followed too, and as it is no
    higher the gate refuses it.
    """
    new = Version.parse(number)
    known = [(Version.parse(each), id_) for id_, each in releases.items() if each != number]
    lower = [(not each.prerelease, each, id_) for each, id_ in known if each <= new]
    return [version_id for *_, version_id in sorted(lower, reverse=True)]


class ReleaseLine(Aggregate):
    """Makes sure that a version is judged against the one it follows, also when two hurry."""

    TOPIC = "release_line"

    def __init__(self) -> None:
        self.releases: dict[UUID, str] = {}

    @staticmethod
    def stream(product_id: UUID, api: str) -> UUID:
        """Return the id of the line of one API of a product."""
        return uuid5(NAMESPACE, f"{product_id}/{api}")

    @classmethod
    def open(
        cls,
        line_id: UUID,
        *,
        product_id: UUID,
        api: str,
        known: list[Release],
        at: datetime,
        why: Why,
    ) -> Self:
        """Begin a line with what was published before there were lines."""
        return cls.begin(cls.Opened, line_id, at, why, product_id=product_id, api=api, known=known)

    def release(self, version_id: UUID, number: str, *, at: datetime, why: Why) -> None:
        """Note that a version is published; for one that was before, nothing happens."""
        if version_id not in self.releases:
            self.emit(self.Released, at, why, release=Release(version_id, number))

    def followed_by(self, number: str) -> list[UUID]:
        """Return what a version with this number may follow, as `below` has it."""
        return below(number, self.releases)

    @dataclass(frozen=True)
    class Opened(First):
        """The gate judged a version of the API for the first time."""

        TOPIC = "release_line.opened"
        product_id: UUID
        api: str
        known: list[Release]

        def apply(self, aggregate: "ReleaseLine") -> None:
            """Know what was published before."""
            aggregate.releases = {each.version_id: each.number for each in self.known}

    @dataclass(frozen=True)
    class Released(Aggregate.Event):
        """A version of the API was published for the first time."""

        TOPIC = "release_line.released"
        release: Release

        def apply(self, aggregate: "ReleaseLine") -> None:
            """Know it too."""
            known = self.release
            aggregate.releases = {**aggregate.releases, known.version_id: known.number}
