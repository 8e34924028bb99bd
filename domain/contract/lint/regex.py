"""Regular expressions that cannot run away.

Python's own engine takes exponential time for some. Those of jsonschema-rs do not: its first is
linear and knows no look-around; its second does, and gives up after a number of steps. Both
understand the dialect of JavaScript.
"""

import re
from dataclasses import dataclass

from jsonschema_rs import (
    FancyRegexOptions,
    RegexOptions,
    ValidationError,
    ValidationErrorKind,
    Validator,
    validator_for,
)

PATTERN_CHARS = 2_000
SUBJECT_CHARS = 1_000_000
STEPS = 100_000
COMPILED_BYTES = 1_000_000
_LITERAL = re.compile(r"/(.+)/([a-z]*)", re.DOTALL)


class PatternError(ValueError):
    """The regular expression cannot be used; the message says why."""


class PatternTookTooLongError(Exception):
    """Whether the expression matches was not found out in the time that it has."""


@dataclass(frozen=True, slots=True)
class Regex:
    """A compiled regular expression; `pattern` is how the engine has it."""

    pattern: str
    validator: Validator
    is_bounded_by_steps: bool

    def search(self, subject: str) -> bool:
        """Whether it matches anywhere. Raises PatternTookTooLongError."""
        if len(subject) > SUBJECT_CHARS:
            raise PatternTookTooLongError
        if not self.is_bounded_by_steps:
            return self.validator.is_valid(subject)
        for error in self.validator.iter_errors(subject):
            if isinstance(error.kind, ValidationErrorKind.BacktrackLimitExceeded):
                raise PatternTookTooLongError
            return False
        return True


def regex(pattern: str) -> Regex:
    """Return the expression, which may be written as /pattern/flags; of flags i, s, m, u, g count.

    Raises PatternError when it cannot be compiled.
    """
    if len(pattern) > PATTERN_CHARS:
        raise PatternError(f"it has more than {PATTERN_CHARS:,} characters")
    literal = _LITERAL.fullmatch(pattern)
    source, flags = (literal[1], literal[2]) if literal else (pattern, "")
    if unknown := set(flags) - set("gimsu"):
        raise PatternError(f"the flag {min(unknown)} is not supported")
    inline = "".join(sorted(set(flags) & set("ims")))
    for candidate in (source, _escaped(source)):
        whole = f"(?{inline}){candidate}" if inline else candidate
        for engine in (
            RegexOptions(size_limit=COMPILED_BYTES),
            FancyRegexOptions(backtrack_limit=STEPS, size_limit=COMPILED_BYTES),
        ):
            try:
                validator = validator_for({"pattern": whole}, pattern_options=engine)
            except ValidationError:
                continue
            return Regex(
                whole, validator, is_bounded_by_steps=isinstance(engine, FancyRegexOptions)
            )
    raise PatternError("it is no regular expression that can be used here")


def _escaped(source: str) -> str:
    r"""Return the pattern with what JavaScript takes literally escaped: { and the - of [\w-.]."""
    braces = r"(?<!\\)\{(?!\d+(?:,\d*)?\})|(?<!\\)(?<![\d,])\}"
    return re.sub(r"(\\[dswDSW])-(?!\])", r"\1\-", re.sub(braces, r"\\\g<0>", source))
