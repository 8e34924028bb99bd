"""A contract as it was read, in no format's words."""

from dataclasses import dataclass

from domain.aggregate import DomainError
from domain.contract.operation import Operation

OPERATIONS = 10_000
TITLE_CHARS = 200
VERSION_CHARS = 100
DESCRIPTION_CHARS = 4_000
SERVERS = 20
SERVER_CHARS = 2_000


class TooManyOperationsError(DomainError):
    """A contract has at most 10,000 operations."""


@dataclass(frozen=True)
class Contract:
    """What a document promises. What it leaves out is "" or ().

    `kind` is OPENAPI_3_0, OPENAPI_3_1 or GRAPHQL; `version` is the document's own number, as
    written. Operations are in the order of the document's paths, those of one path in the order
    get, put, post, delete, options, head, patch, trace; in GraphQL queries, mutations and
    subscriptions, each in the order of their fields.
    """

    kind: str
    title: str
    version: str
    description: str
    operations: tuple[Operation, ...]
    servers: tuple[str, ...]
