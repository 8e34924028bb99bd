"""The conditions in JSONPath filters, such as `@.type == 'array' && @property !== 'properties'`.

They are the part of JavaScript that rule sets use, compiled to closures; nothing is executed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import TypeAlias

from domain.contract.lint.place import UNDEFINED, Key, Value, is_number, is_truthy, member
from domain.contract.lint.regex import PatternError, PatternTookTooLongError, Regex, regex

NESTING = 20


class ExpressionError(ValueError):
    """An expression is not supported or not well-formed; the message says what and where."""


@dataclass(slots=True)  # not frozen: there are hundreds of thousands, made twice as fast so
class Candidate:
    """What a condition is asked about: a value, its key, what holds it and under which key."""

    value: Value
    key: Key | None
    parent: Value
    parent_key: Key | None


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition: whether it holds, and whether only of objects and lists it can."""

    holds: Callable[[Candidate], bool]
    is_of_objects: bool


_Evaluate: TypeAlias = Callable[[Candidate], Value]


@dataclass(frozen=True, slots=True)
class _Term:
    """A part of a condition; `is_of_objects` if for other values it never counts as true."""

    evaluate: _Evaluate
    is_of_objects: bool = False
    constant: Value = UNDEFINED
    is_constant: bool = False


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")
        | (?P<number>-?\d+(?:\.\d+)?)
        | (?P<variable>@(?:parentProperty|property|parent)?(?![A-Za-z_]))
        | (?P<word>[A-Za-z_$][\w$]*)
        | (?P<operator>===|!==|==|!=|<=|>=|&&|\|\||[!<>()\[\].,])
        | (?P<regex>/(?:[^/\\\n\[]|\\.|\[(?:[^\]\\]|\\.)*\])++/[a-z]*)
    )""",
    re.VERBOSE,
)
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None, "undefined": UNDEFINED}
_ORDERED: dict[str, Callable[[float, float], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
_EQUAL = {"==": True, "===": True, "!=": False, "!==": False}


def predicate(expression: str) -> Predicate:
    """Return the condition. Raises ExpressionError when it is not supported."""
    parser = _Parser(_tokens(expression))
    term = parser.either()
    if parser.kind:
        raise parser.unexpected()
    evaluate = term.evaluate
    return Predicate(lambda candidate: is_truthy(evaluate(candidate)), term.is_of_objects)


def _tokens(expression: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    end = len(expression.rstrip())
    while at < end:
        match = _TOKEN.match(expression, at)
        if match is None or match.lastgroup is None:
            raise ExpressionError(f"{expression[at : at + 20]!r} is not supported in a filter")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent; `kind` and `word` are the token to come."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = [*tokens, ("", "")]
        self.at = 0
        self.depth = 0

    @property
    def kind(self) -> str:
        return self.tokens[self.at][0]

    @property
    def word(self) -> str:
        return self.tokens[self.at][1]

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1][1]

    def is_next(self, *operators: str) -> bool:
        return self.kind == "operator" and self.word in operators

    def expect(self, operator: str) -> None:
        if not self.is_next(operator):
            raise self.unexpected()
        self.take()

    def unexpected(self) -> ExpressionError:
        what = repr(self.word) if self.kind else "the end"
        return ExpressionError(f"{what} is not supported at this place of a filter")

    def either(self) -> _Term:
        self.depth += 1
        if self.depth > NESTING:
            raise ExpressionError(f"a filter is nested at most {NESTING} deep")
        terms = [self.all_()]
        while self.is_next("||"):
            self.take()
            terms.append(self.all_())
        self.depth -= 1
        return terms[0] if len(terms) == 1 else _first(terms, stop_at=True)

    def all_(self) -> _Term:
        terms = [self.compared()]
        while self.is_next("&&"):
            self.take()
            terms.append(self.compared())
        return terms[0] if len(terms) == 1 else _first(terms, stop_at=False)

    def compared(self) -> _Term:
        left = self.negated()
        if self.is_next(*_EQUAL):
            operator = self.take()
            return _equality(left, self.negated(), operator)
        if self.is_next(*_ORDERED):
            operator = self.take()
            return _order(left, self.negated(), operator)
        return left

    def negated(self) -> _Term:
        times = 0
        while self.is_next("!"):
            self.take()
            times += 1
        evaluate = (term := self.operand()).evaluate
        if not times:
            return term
        return _Term(lambda candidate: is_truthy(evaluate(candidate)) is (times % 2 == 0))

    def operand(self) -> _Term:
        if self.is_next("("):
            return self.enclosed()
        match self.kind, self.word:
            case "variable", name:
                self.take()
                return self.accessed(_VARIABLES[name])
            case "string", literal:
                self.take()
                return _constant(_unquoted(literal))
            case "number", digits:
                self.take()
                return _constant(float(digits) if "." in digits else int(digits))
            case "word", word if word in _WORDS or word == "void":
                self.take()
                return _constant(_WORDS[word]) if word in _WORDS else self.void()
            case "regex", literal:
                self.take()
                self.expect(".")
                if self.word != "test":
                    raise self.unexpected()
                self.take()
                return _matched(self.enclosed(), _regex(literal))
        raise self.unexpected()

    def enclosed(self) -> _Term:
        self.expect("(")
        term = self.either()
        self.expect(")")
        return term

    def void(self) -> _Term:
        if self.kind != "number":
            raise self.unexpected()
        self.take()
        return _constant(UNDEFINED)

    def accessed(self, term: _Term) -> _Term:
        """Return the term with the members and methods that follow it."""
        while self.is_next(".", "["):
            if self.take() == "[":
                if self.kind not in {"string", "number"}:
                    raise self.unexpected()
                key = self.take()
                term = _member(term, _unquoted(key) if key[0] in "'\"" else key)
                self.expect("]")
                continue
            if self.kind != "word":
                raise self.unexpected()
            name = self.take()
            term = self.called(term, name) if self.is_next("(") else _member(term, name)
        return term

    def called(self, term: _Term, name: str) -> _Term:
        self.expect("(")
        if name == "match" and self.kind == "regex":
            result = _matched(term, _regex(self.take()))
        elif name in _METHODS:
            result = _method(term, name, self.either())
        else:
            raise ExpressionError(f"the method {name} is not supported in a filter")
        self.expect(")")
        return result


def _unquoted(literal: str) -> str:
    return re.sub(r"\\(.)", r"\1", literal[1:-1], flags=re.DOTALL)


def _regex(literal: str) -> Regex:
    try:
        return regex(literal)
    except PatternError as error:
        raise ExpressionError(f"{literal}: {error}") from None


def _constant(value: Value) -> _Term:
    return _Term(lambda _: value, constant=value, is_constant=True)


def _member(term: _Term, key: str) -> _Term:
    evaluate = term.evaluate
    is_of_objects = term.is_of_objects or (term is _VARIABLES["@"] and key != "length")
    return _Term(lambda candidate: member(evaluate(candidate), key), is_of_objects)


def _first(terms: list[_Term], *, stop_at: bool) -> _Term:
    """Return the first value that counts as `stop_at`, else the last one."""
    parts = [term.evaluate for term in terms]

    def evaluate(candidate: Candidate) -> Value:
        value: Value = UNDEFINED
        for part in parts:
            value = part(candidate)
            if is_truthy(value) is stop_at:
                return value
        return value

    of_objects = [term.is_of_objects for term in terms]
    return _Term(evaluate, all(of_objects) if stop_at else any(of_objects))


def _equality(left: _Term, right: _Term, operator: str) -> _Term:
    is_strict, wanted = len(operator) > len("=="), _EQUAL[operator]
    first, second = left.evaluate, right.evaluate

    def evaluate(candidate: Candidate) -> Value:
        a, b = first(candidate), second(candidate)
        if not is_strict and (a is None or a is UNDEFINED):
            return (b is None or b is UNDEFINED) is wanted
        is_same_kind = type(a) is type(b) or (is_number(a) and is_number(b))
        return (is_same_kind and a == b) is wanted

    is_nothing = right.is_constant and right.constant in {None, UNDEFINED}
    is_something = right.is_constant and not is_nothing
    is_present = is_something if wanted else right.is_constant and right.constant is UNDEFINED
    return _Term(evaluate, is_present and left.is_of_objects)


def _order(left: _Term, right: _Term, operator: str) -> _Term:
    compare = _ORDERED[operator]
    first, second = left.evaluate, right.evaluate

    def evaluate(candidate: Candidate) -> Value:
        a, b = first(candidate), second(candidate)
        if isinstance(a, int | float) and isinstance(b, int | float):
            return is_number(a) and is_number(b) and compare(a, b)
        return False

    return _Term(evaluate, left.is_of_objects or right.is_of_objects)


def _matched(term: _Term, pattern: Regex) -> _Term:
    inner = term.evaluate

    def evaluate(candidate: Candidate) -> Value:
        value = inner(candidate)
        try:
            return isinstance(value, str) and pattern.search(value)
        except PatternTookTooLongError:
            return True  # rather one place too many is looked at than one too few

    return _Term(evaluate, term.is_of_objects)


_METHODS: dict[str, Callable[[str, str], bool]] = {
    "includes": lambda whole, part: part in whole,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}


def _method(term: _Term, name: str, argument: _Term) -> _Term:
    method = _METHODS[name]
    first, second = term.evaluate, argument.evaluate

    def evaluate(candidate: Candidate) -> Value:
        value, given = first(candidate), second(candidate)
        if isinstance(value, str) and isinstance(given, str):
            return method(value, given)
        return name == "includes" and isinstance(value, list) and given in value

    return _Term(evaluate, term.is_of_objects)


_VARIABLES = {
    "@": _Term(lambda candidate: candidate.value),
    "@property": _Term(lambda candidate: UNDEFINED if candidate.key is None else candidate.key),
    "@parent": _Term(lambda candidate: candidate.parent),
    "@parentProperty": _Term(
        lambda candidate: UNDEFINED if candidate.parent_key is None else candidate.parent_key
    ),
}
