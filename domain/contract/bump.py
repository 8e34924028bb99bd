"""Version numbers that say what changed."""

from collections.abc import Iterable
from enum import StrEnum

from semver import Version

from domain.aggregate import DomainError
from domain.contract.document import shown
from domain.contract.finding import Finding, Level

NUMBER_CHARS = 100


class NotSemanticVersionError(DomainError):
    """A version number is semantic: MAJOR.MINOR.PATCH, such as 1.4.0 or 2.0.0-rc.1."""


class VersionTooSmallError(DomainError):
    """A version number says what changed: breaks are major, other changes minor."""


class Bump(StrEnum):
    """Which part of a version number goes up."""

    MAJOR = "MAJOR"
    MINOR = "MINOR"
    PATCH = "PATCH"


def bump(findings: Iterable[Finding]) -> Bump:
    """Return the smallest step that the findings allow.

    An error is MAJOR; a warning or an info MINOR; nothing, as when only prose changed, PATCH.
    """
    levels = {finding.level for finding in findings}
    if Level.ERROR in levels:
        return Bump.MAJOR
    return Bump.MINOR if levels else Bump.PATCH


def proposed_version(old: str, findings: Iterable[Finding]) -> str:
    """Return the smallest number that may follow `old`, given what changed.

    Before 1.0.0 a break is MINOR and all else PATCH, as is usual. A pre-release promises nothing:
    its own final number may follow. Raises NotSemanticVersionError.
    """
    before = _version(old, "old")
    if before.prerelease:
        return str(before.finalize_version())
    step = bump(findings)
    if before.major == 0:
        return str(before.bump_minor() if step is Bump.MAJOR else before.bump_patch())
    steps = {
        Bump.MAJOR: before.bump_major,
        Bump.MINOR: before.bump_minor,
        Bump.PATCH: before.bump_patch,
    }
    return str(steps[step]())


def refuse_smaller(old: str, new: str, findings: Iterable[Finding]) -> None:
    """Refuse a number `new` that promises less change than there is.

    The pre-release of a number is as good as the number: 2.0.0-rc.1 may break what 1.4.0 promised.
    Raises VersionTooSmallError about "new", which says what would do; NotSemanticVersionError.
    """
    findings = tuple(findings)
    before, after = _version(old, "old"), _version(new, "new")
    least = proposed_version(old, findings)
    if after > before and after.finalize_version() >= Version.parse(least):
        return
    errors = sum(finding.level is Level.ERROR for finding in findings)
    told = f"{errors:,} break{'s' * (errors != 1)}" if errors else f"{len(findings):,} changes"
    detail = f"With {told} after {shown(old)}, {shown(new)} is too small; {least} would do."
    raise VersionTooSmallError("new", detail)


def _version(number: str, about: str) -> Version:
    problem = NotSemanticVersionError(about, f'This one is "{shown(number)}".')
    if len(number) > NUMBER_CHARS:
        raise problem
    try:
        return Version.parse(number.removeprefix("v"))
    except ValueError:
        raise problem from None
