"""JSON Schemas, compiled so that they fetch nothing and cannot run away."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeAlias

import jsonschema_rs
from jsonschema_rs import ReferencingError, ValidationError

from domain.contract.document import Tree, shown
from domain.contract.lint.place import Path
from domain.contract.lint.regex import STEPS

PROBLEMS = 100
"""So many of one value are told."""

Problem: TypeAlias = tuple[str, Path]
"""What is wrong, and where."""

DIALECTS: dict[str, Any] = {
    "draft4": jsonschema_rs.Draft4Validator,
    "draft6": jsonschema_rs.Draft6Validator,
    "draft7": jsonschema_rs.Draft7Validator,
    "draft2019-09": jsonschema_rs.Draft201909Validator,
    "draft2020-12": jsonschema_rs.Draft202012Validator,
}


class OptionError(ValueError):
    """The options of a function are not supported; the message says which and why."""


def validator(schema: dict[str, Any], dialect: str, **options: object) -> jsonschema_rs.Validator:
    """Return a validator. Raises OptionError when the schema is not valid in the dialect."""
    try:
        made: jsonschema_rs.Validator = DIALECTS[dialect](
            schema,
            pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=STEPS),
            retriever=nothing,
            mask="it",
            **options,
        )
    except (ValidationError, ReferencingError, ValueError) as error:
        raise OptionError(f"the schema is not valid: {shown(str(error))}") from None
    return made


def nothing(address: str) -> Tree:
    """Fetch nothing: what stands at another address is not looked at."""
    raise ValueError(f"{shown(address)} is not fetched")


def schema_problems(
    compiled: jsonschema_rs.Validator, value: Tree, path: Path, limit: int = PROBLEMS
) -> Iterator[Problem]:
    """Return what the schema says against the value at the path, at most `limit` problems."""
    for error in islice(compiled.iter_errors(value), limit):
        there = (*path, *error.instance_path)
        name = str(there[-1]) if there else "the document"
        yield f"{shown(name)}: {shown(error.message)}", there
