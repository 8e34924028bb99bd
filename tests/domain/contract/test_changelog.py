from domain.contract import changelog as module
from domain.contract.changelog import changelog
from domain.contract.finding import Finding, Level


def found(level: Level, where: str, sentence: str) -> Finding:
    return Finding("rule", level, where, "", "", sentence)


def test_breaks_come_first_and_what_happened_to_one_operation_is_together() -> None:
    findings = [
        found(Level.INFO, "GET /b", "It is new."),
        found(Level.ERROR, "GET /a", "It lost a."),
        found(Level.ERROR, "", "A server is gone."),
        found(Level.ERROR, "GET /a", "It lost b."),
    ]
    assert changelog(findings, title="2.0.0") == (
        "## 2.0.0\n\n### Breaking changes\n\n- A server is gone.\n- **GET /a**\n  - It lost a.\n"
        "  - It lost b.\n\n### Other changes\n\n- **GET /b**: It is new.\n"
    )


def test_nothing_is_said_to_be_nothing() -> None:
    assert changelog([]) == "Nothing changed for callers.\n"


def test_no_name_in_a_document_is_markup() -> None:
    text = changelog([found(Level.INFO, "GET /*_*", "<b>[a](b)</b>\n# `c` is new.")])
    assert r"**GET /\*\_\***: \<b\>\[a\](b)\</b\> \# \`c\` is new." in text


def test_a_long_list_ends_and_says_so() -> None:
    findings = [found(Level.INFO, "", f"{n} is new.") for n in range(module.ENTRIES + 3)]
    assert changelog(findings).endswith("- And 3 more.\n")
