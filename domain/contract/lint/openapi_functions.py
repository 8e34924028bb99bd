"""What rules can ask of an OpenAPI document."""

import re
from collections.abc import Iterator

from domain.contract.document import shown
from domain.contract.lint.check import Function, Place, options, plain
from domain.contract.lint.examples import EXAMPLES
from domain.contract.lint.functions import unreferenced
from domain.contract.lint.json_schema import Problem
from domain.contract.lint.openapi_structure import structure
from domain.contract.lint.place import UNDEFINED, Path, Value, member
from domain.contract.openapi import METHODS

_PARAMETER = re.compile(r"\{;?\??([a-zA-Z0-9_-]+)\*?\}")
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_SUCCESS = re.compile("[23](?:[0-9][0-9]|XX)")
_COMPONENTS = (
    *("schemas", "responses", "parameters", "examples"),
    *("requestBodies", "headers", "links", "callbacks"),
)


def _success_response(value: Value, place: Place) -> Iterator[Problem]:
    if isinstance(value, dict) and not any(_SUCCESS.fullmatch(code) for code in value):
        yield "has no response that says success, 2xx or 3xx", place.path


def _operations(value: Value, place: Place) -> Iterator[tuple[str, str, Value, Path]]:
    """Return path, method, operation and its place of every operation in `paths`."""
    if not isinstance(value, dict):
        return
    for path in value:
        item, at = place.source.at(value, place.path, (path,), follow=place.follow)
        for method in METHODS:
            operation = member(item, method) if isinstance(item, dict) else UNDEFINED
            if isinstance(operation, dict):
                yield path, method, operation, (*at, method)


def _unique_ids(value: Value, place: Place) -> Iterator[Problem]:
    seen: set[str] = set()
    for _, _, operation, path in _operations(value, place):
        identity = member(operation, "operationId")
        if isinstance(identity, str):
            if identity in seen:
                yield (
                    f"{shown(identity)} is the operationId of several operations",
                    (*path, "operationId"),
                )
            seen.add(identity)


def _tags_defined(value: Value, place: Place) -> Iterator[Problem]:
    declared = member(value, "tags")
    names = {
        name
        for tag in (declared if isinstance(declared, list) else [])
        if isinstance(name := member(tag, "name"), str)
    }
    paths = place.source.at(value, place.path, ("paths",), follow=place.follow)
    for _, _, operation, path in _operations(paths[0], place.moved(paths[1])):
        tags = member(operation, "tags")
        for index, tag in enumerate(tags if isinstance(tags, list) else []):
            if isinstance(tag, str) and tag not in names:
                yield (
                    f"the tag {shown(tag)} is not among those of the document",
                    (*path, "tags", index),
                )


def _unique_parameters(value: Value, place: Place) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for index in range(len(value) if isinstance(value, list) else 0):
        parameter, _ = place.source.at(value, place.path, (index,), follow=place.follow)
        name, where = member(parameter, "name"), member(parameter, "in")
        if isinstance(name, str) and isinstance(where, str):
            if (name, where) in seen:
                yield f"{shown(name)} in {where} is there twice", (*place.path, index)
            seen.add((name, where))


def _path_parameters(value: Value, place: Place) -> Iterator[Problem]:
    alike: dict[str, str] = {}
    for path in value if isinstance(value, dict) else ():
        shape = _PARAMETER.sub("%", path)
        if (other := alike.setdefault(shape, path)) != path:
            yield f"{shown(path)} is the same path as {shown(other)}", (*place.path, path)
        expected = _PARAMETER.findall(path)
        for name in sorted({name for name in expected if expected.count(name) > 1}):
            yield f"{{{shown(name)}}} is in {shown(path)} twice", (*place.path, path)
        item, at = place.source.at(value, place.path, (path,), follow=place.follow)
        shared: dict[str, Path] = {}
        yield from _declared(item, at, place, shared)
        for method in METHODS:
            operation = member(item, method) if isinstance(item, dict) else UNDEFINED
            if isinstance(operation, dict):
                own: dict[str, Path] = {}
                yield from _declared(operation, (*at, method), place, own)
                yield from _differences(path, expected, shared | own, (*at, method))


def _differences(
    path: str, expected: list[str], declared: dict[str, Path], operation: Path
) -> Iterator[Problem]:
    """Return the parameters that are in the path or declared for the operation, but not both."""
    for name, there in declared.items():
        if name not in expected:
            yield f"the parameter {shown(name)} is not in {shown(path)}", there
    for name in dict.fromkeys(expected):
        if name not in declared:
            yield f"{{{shown(name)}}} of {shown(path)} is not declared", operation


def _declared(holder: Value, path: Path, place: Place, found: dict[str, Path]) -> Iterator[Problem]:
    """Add the path parameters of an operation or path item to `found`."""
    parameters = member(holder, "parameters") if isinstance(holder, dict) else UNDEFINED
    for index in range(len(parameters) if isinstance(parameters, list) else 0):
        keys: Path = ("parameters", index)
        parameter, there = place.source.at(holder, path, keys, follow=place.follow)
        name = member(parameter, "name")
        if member(parameter, "in") != "path" or not isinstance(name, str):
            continue
        if member(parameter, "required") is not True:
            yield f"the path parameter {shown(name)} must be required", there
        if name in found:
            yield f"the path parameter {shown(name)} is declared twice", there
        found.setdefault(name, there)


def _security_defined(value: Value, place: Place) -> Iterator[Problem]:
    if not isinstance(value, dict):
        return
    schemes, at = place.source.at(
        place.source.root, (), ("components", "securitySchemes"), follow=True
    )
    for name, scopes in value.items():
        scheme, _ = place.source.at(schemes, at, (name,), follow=True)
        if not isinstance(scheme, dict):
            yield f"there is no security scheme {shown(name)}", (*place.path, name)
            continue
        flows = member(scheme, "flows")
        known = {
            scope
            for flow in (flows.values() if isinstance(flows, dict) else ())
            if isinstance(named := member(flow, "scopes"), dict)
            for scope in named
        }
        if scheme.get("type") != "oauth2":
            continue
        for index, scope in enumerate(scopes if isinstance(scopes, list) else []):
            if isinstance(scope, str) and scope not in known:
                problem = f"{shown(name)} has no scope {shown(scope)}"
                yield problem, (*place.path, name, index)


def _server_variables(value: Value, place: Place) -> Iterator[Problem]:
    url = member(value, "url") if isinstance(value, dict) else UNDEFINED
    if not isinstance(url, str):
        return
    used = list(dict.fromkeys(_VARIABLE.findall(url)))
    variables = member(value, "variables")
    declared = variables if isinstance(variables, dict) else {}
    missing = [name for name in used if name not in declared]
    if missing:
        names = ", ".join(map(shown, missing))
        yield f"the variables {names} of the address are not declared", (*place.path, "variables")
    for name, variable in declared.items():
        there = (*place.path, "variables", name)
        if name not in used:
            yield f"the variable {shown(name)} is not in the address", there
        default, values = member(variable, "default"), member(variable, "enum")
        if default is UNDEFINED:
            yield f"the variable {shown(name)} has no default", there
        elif isinstance(values, list) and default not in values:
            yield f"the default of {shown(name)} is none of its values", (*there, "default")


def _reference_siblings(value: Value, place: Place) -> Iterator[Problem]:
    holder, path = place.source.at(place.source.root, (), place.path[:-1], follow=False)
    if isinstance(holder, dict) and isinstance(value, str):
        for key in holder:
            if key != "$ref":
                yield f"{shown(key)} beside a $ref is ignored", (*path, key)


def _unused_components(value: Value, place: Place) -> Iterator[Problem]:
    components = member(value, "components") if isinstance(value, dict) else UNDEFINED
    for kind in _COMPONENTS:
        inner = member(components, kind) if isinstance(components, dict) else UNDEFINED
        there = place.moved((*place.path, "components", kind))
        yield from unreferenced(inner, there, f"#/components/{kind}")


def _unique_tags(value: Value, place: Place) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, tag in enumerate(value if isinstance(value, list) else []):
        name = member(tag, "name")
        if isinstance(name, str):
            if name in seen:
                yield f"the tag {shown(name)} is there twice", (*place.path, index, "name")
            seen.add(name)


_RUNTIME = re.compile(
    r"\$(?:url|method|statusCode"
    r"|(?:request|response)\.(?:header\.[A-Za-z0-9!#$%&'*+.^_`|~-]+|(?:query|path)\.[\x01-\x7f]*"
    r"|body(?:#(?:/(?:[^/~]|~[01])*)+)?))"
)


def _runtime_expressions(value: Value, place: Place) -> Iterator[Problem]:
    for name, expression in value.items() if isinstance(value, dict) else ():
        # A constant is allowed as well; only what begins like an expression has to be one.
        if (
            isinstance(expression, str)
            and expression.startswith("$")
            and not _RUNTIME.fullmatch(expression)
        ):
            yield f"{shown(expression)!r} is no runtime expression", (*place.path, name)


OPENAPI: dict[str, Function] = {
    **EXAMPLES,
    "oasDocumentSchema": plain(structure),
    "oasOpIdUnique": plain(_unique_ids),
    "oasOpParams": plain(_unique_parameters),
    "oasOpSuccessResponse": plain(_success_response),
    "oasPathParam": plain(_path_parameters),
    "oasSecurityDefined": plain(_security_defined, options(oasVersion={"const": 3})),
    "oasTagDefined": plain(_tags_defined),
    "oasUnusedComponent": plain(_unused_components),
    "refSiblings": plain(_reference_siblings),
    "runtimeExpression": plain(_runtime_expressions),
    "serverVariables": plain(
        _server_variables,
        options(checkSubstitutions={"const": True}, requireDefault={"const": True}),
    ),
    "uniquenessTags": plain(_unique_tags),
}
"""By the names that Spectral gives them; options that it has for other formats say what is so."""
