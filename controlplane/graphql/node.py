"""Nodes of the graph, and how an input names one."""

from uuid import UUID

import strawberry

from controlplane.commands import NotFoundError
from controlplane.global_id import global_id, named_key
from controlplane.graphql.loaders import Key


@strawberry.interface
class Node:
    """Something with an id that is unique in the whole installation."""

    key: strawberry.Private[Key]
    """The organization, and what follows the name of the type in the id."""

    @strawberry.field
    def id(self) -> strawberry.ID:
        """Return the id; opaque, and the same for ever."""
        return strawberry.ID(global_id(type(self).__name__, self.key[1:]))


def named(id_: str, name: str, about: str) -> UUID:
    """Return the UUID in the id of a thing of the type `name`.

    Raises NotFoundError about that field of the input, also for the id of another type.
    """
    key = named_key(id_, name, ("uuid",))
    if key is None:
        raise NotFoundError(about, f"That is not the id of {_article(name)} {name}.")
    (found,) = key
    assert isinstance(found, UUID)
    return found


def named_or_none(id_: str | None, name: str, about: str) -> UUID | None:
    """Return the UUID in the id, None without one. Raises NotFoundError."""
    return None if id_ is None else named(id_, name, about)


def _article(name: str) -> str:
    return "an" if name[0] in "AEIOU" else "a"
