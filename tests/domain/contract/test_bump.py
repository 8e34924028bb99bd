import pytest

from domain.contract.bump import (
    Bump,
    NotSemanticVersionError,
    VersionTooSmallError,
    bump,
    proposed_version,
    refuse_smaller,
)
from domain.contract.finding import Finding, Level


def found(*levels: Level) -> list[Finding]:
    return [Finding("rule", level, "GET /a", "", "", "It happened.") for level in levels]


BREAK, RISK, NEWS = found(Level.ERROR), found(Level.WARNING), found(Level.INFO)


@pytest.mark.parametrize(
    ("findings", "old", "step", "new"),
    [
        (BREAK + NEWS, "1.4.2", Bump.MAJOR, "2.0.0"),
        (RISK, "1.4.2", Bump.MINOR, "1.5.0"),
        (NEWS, "v1.4.2", Bump.MINOR, "1.5.0"),
        ([], "1.4.2", Bump.PATCH, "1.4.3"),
        (BREAK, "0.4.2", Bump.MAJOR, "0.5.0"),
        (NEWS, "0.4.2", Bump.MINOR, "0.4.3"),
        (BREAK, "2.0.0-rc.1", Bump.MAJOR, "2.0.0"),
    ],
)
def test_the_number_says_what_changed(
    findings: list[Finding], old: str, step: Bump, new: str
) -> None:
    assert bump(findings) is step
    assert proposed_version(old, findings) == new
    refuse_smaller(old, new, findings)


@pytest.mark.parametrize("new", ["2.0.0", "2.0.0-rc.1", "2.1.0", "3.0.0"])
def test_a_number_that_is_large_enough_is_accepted(new: str) -> None:
    refuse_smaller("1.4.2", new, BREAK)


def test_a_break_in_a_patch_release_is_refused_with_what_would_do() -> None:
    with pytest.raises(VersionTooSmallError, match=r"1 break after 23\.0\.0.*24\.0\.0 would do"):
        refuse_smaller("23.0.0", "23.0.1", BREAK)


@pytest.mark.parametrize("new", ["1.4.2", "1.4.1", "1.4.2+build.2"])
def test_a_number_that_does_not_go_up_is_refused(new: str) -> None:
    with pytest.raises(VersionTooSmallError):
        refuse_smaller("1.4.2", new, [])


@pytest.mark.parametrize("number", ["1.4", "one", "", "1.04.0", "1." + "4" * 200 + ".0"])
def test_a_number_that_is_not_semantic_is_refused(number: str) -> None:
    with pytest.raises(NotSemanticVersionError):
        proposed_version(number, BREAK)
