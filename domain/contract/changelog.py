"""Changelog: what changed, for those who call the API, in Markdown."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from domain.contract.finding import Finding, Level

ENTRIES = 500
"""So many entries of one level are listed; how many are left out is said."""

_HEADINGS = {
    Level.ERROR: "Breaking changes",
    Level.WARNING: "Changes that may break",
    Level.INFO: "Other changes",
}
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&])")


def changelog(findings: Iterable[Finding], *, title: str = "") -> str:
    """Return what the findings say as Markdown, the gravest first, by operation.

    `title` heads it, such as the new version number; without one the levels are the highest
    headings. Nothing in it is markup but our own, whatever the documents hold.
    """
    by_level: dict[Level, list[Finding]] = {level: [] for level in Level}
    for finding in findings:
        by_level[finding.level].append(finding)
    lines = [f"## {_plain(title)}", ""] if title else []
    for level, found in by_level.items():
        if found:
            lines += [f"### {_HEADINGS[level]}", "", *_entries(found), ""]
    if not any(by_level.values()):
        lines += ["Nothing changed for callers.", ""]
    return "\n".join(lines)


def _entries(findings: list[Finding]) -> Iterator[str]:
    listed = sorted(findings[:ENTRIES], key=lambda finding: finding.where)
    for where, found in groupby(listed, key=lambda finding: finding.where):
        sentences = dict.fromkeys(finding.sentence for finding in found)
        if not where:
            yield from (f"- {_plain(sentence)}" for sentence in sentences)
        elif len(sentences) == 1:
            yield f"- **{_plain(where)}**: {_plain(next(iter(sentences)))}"
        else:
            yield f"- **{_plain(where)}**"
            yield from (f"  - {_plain(sentence)}" for sentence in sentences)
    if len(findings) > ENTRIES:
        yield f"- And {len(findings) - ENTRIES:,} more."


def _plain(text: str) -> str:
    """Return the text as Markdown that shows it as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
