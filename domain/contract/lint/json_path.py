"""JSONPath, as far as rule sets use it: names, indices, `*`, `..`, unions and filters.

At the end `^` stands for what holds the match, and `~` for its key. Anything else is an error.
"""

import re
from dataclasses import dataclass

from domain.contract.lint.place import Key
from domain.contract.lint.predicate import ExpressionError, Predicate, predicate

EXPRESSION_CHARS = 2_000
STEPS = 30

_NAME = re.compile(r"[^\s.\[\]()*~^'\"@?,]+")
_UNION = re.compile(
    r"""\s*(?:'((?:[^'\\]|\\.)*+)'|"((?:[^"\\]|\\.)*+)"|(\d+)|([^\s\[\]()*~^'"@?,:]+))\s*([,\]])"""
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step from a value to those in it.

    It goes to the members of these `keys`, to all of them when there are none, and of them to
    those the `condition` holds for; with `is_deep`, from any depth below. Steps with the same
    `text` are the same.
    """

    is_deep: bool
    keys: frozenset[Key] | None
    condition: Predicate | None
    text: str


@dataclass(frozen=True, slots=True)
class JsonPath:
    """Steps from the root to matches; of these then the holder, so many times, or the key."""

    steps: tuple[Step, ...]
    up: int = 0
    is_key: bool = False


def json_path(expression: str) -> JsonPath:
    """Return the compiled expression, which begins with $. Raises ExpressionError."""
    if len(expression) > EXPRESSION_CHARS:
        raise ExpressionError(f"it has more than {EXPRESSION_CHARS:,} characters")
    if not expression.startswith("$"):
        raise ExpressionError("it does not begin with $")
    steps: list[Step] = []
    at = 1
    while at < len(expression) and expression[at] not in "^~":
        step, at = _step(expression, at)
        steps.append(step)
    rest = expression[at:]
    if rest not in {"", "~"} and rest.strip("^"):
        raise ExpressionError(f"{rest[:20]!r} is not supported")
    up = rest.count("^")
    if up > len(steps) or len(steps) > STEPS:
        raise ExpressionError(f"it has more than {STEPS} steps, or goes above the root")
    return JsonPath(tuple(steps), up, is_key=rest == "~")


def _step(expression: str, at: int) -> tuple[Step, int]:
    begin = at
    is_deep = expression.startswith("..", at)
    at += 2 if is_deep else 1 if expression[at] == "." else 0
    keys: frozenset[Key] | None = None
    condition = None
    if expression.startswith("[?(", at):
        inner, at = _filter(expression, at + len("[?"))
        condition = predicate(inner)
    elif expression.startswith("[*]", at):
        at += len("[*]")
    elif expression.startswith("*", at):
        at += 1
    elif expression.startswith("[", at):
        keys, at = _union(expression, at + 1)
    elif at > begin and (match := _NAME.match(expression, at)):
        keys, at = frozenset({match[0]}), match.end()
    else:
        raise ExpressionError(f"{expression[begin : begin + 20]!r} is not supported")
    return Step(is_deep, keys, condition, expression[begin:at]), at


def _union(expression: str, at: int) -> tuple[frozenset[Key], int]:
    keys: set[Key] = set()
    while True:
        match = _UNION.match(expression, at)
        if match is None:
            raise ExpressionError(f"{expression[at - 1 : at + 19]!r} is not supported")
        single, double, index, bare, after = match.groups()
        quoted = single if single is not None else double
        if index is not None:
            keys |= {int(index), index}  # an element, or a member with such a name
        else:
            keys.add(bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        at = match.end()
        if after == "]":
            return frozenset(keys), at


def _filter(expression: str, at: int) -> tuple[str, int]:
    """Return what is between the parentheses at this place, and where it goes on."""
    depth, quote, begin = 0, "", at + 1
    while at < len(expression):
        char = expression[at]
        if quote:
            at += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "()":
            depth += 1 if char == "(" else -1
            if depth == 0 and expression[at + 1 : at + 2] == "]":
                return expression[begin:at], at + 2
        at += 1
    raise ExpressionError("a filter has no end")
