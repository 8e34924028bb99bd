"""An operation: one thing that a subscriber can call."""

from dataclasses import dataclass

from domain.aggregate import Value

NAME_CHARS = 200
PATH_CHARS = 500
SUMMARY_CHARS = 200
TAGS = 20
TAG_CHARS = 50


@dataclass(frozen=True)
class Operation(Value):
    """One thing that a subscriber can call.

    `id` is unique in the contract and stays when prose changes: "GET /users/{id}",
    "Query.user" (also where the schema gives its root type another name). `method` is that of
    HTTP, or QUERY, MUTATION, SUBSCRIPTION; `path` is the template, or the field; `name` is the
    operationId, or the field; `summary` is one line. `name` and `summary` may be "".
    """

    NAME = "operation"
    id: str
    method: str
    path: str
    name: str
    summary: str
    deprecated: bool
    tags: list[str]
