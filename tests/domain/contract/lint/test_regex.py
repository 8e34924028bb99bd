"""Regular expressions that cannot run away."""

import time

import pytest

from domain.contract.lint.regex import PatternError, PatternTookTooLongError, regex


@pytest.mark.parametrize(
    ("pattern", "subject", "is_match"),
    [
        ("^a+$", "aaa", True),
        ("{}", "/pets/{}", True),
        ("/ABC/i", "xabcx", True),
        (r"^[\w-.]+$", "a-b.c", True),
        (r"^(?!x)[a-z]{2,3}$", "xyz", False),
        (r"^\d{2}$", "42", True),
        (r"(a)\1", "aa", True),
    ],
)
def test_the_dialect_is_that_of_javascript(pattern: str, subject: str, is_match: bool) -> None:  # noqa: FBT001
    assert regex(pattern).search(subject) is is_match


@pytest.mark.parametrize("pattern", ["(", "a" * 3_000, "/a/x", "(?<a"])
def test_what_is_none_is_an_error(pattern: str) -> None:
    with pytest.raises(PatternError):
        regex(pattern)


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"^(?:a|aa)+$", r"^(\w+\s?)*$"])
def test_one_that_backtracks_elsewhere_takes_no_time(pattern: str) -> None:
    begin = time.monotonic()
    assert not regex(pattern).search("a" * 50_000 + "!")
    assert time.monotonic() - begin < 1


def test_one_that_has_to_backtrack_gives_up() -> None:
    begin = time.monotonic()
    with pytest.raises(PatternTookTooLongError):
        regex(r"(?=(a*)+$)(a|aa)*\1b$").search("a" * 5_000)
    assert time.monotonic() - begin < 2
