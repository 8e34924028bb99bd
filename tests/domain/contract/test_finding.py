from domain.contract.finding import TOO_MANY, Finding, Level, gravest, ordered


def _finding(level: Level, where: str, rule: str = "rule") -> Finding:
    return Finding(rule, level, where, None, "/paths", "Something happened.")


def test_the_gravest_findings_come_first_and_those_of_one_operation_together() -> None:
    info = _finding(Level.INFO, "GET /a")
    errors = [_finding(Level.ERROR, where, rule) for where in ("GET /a", "GET /b") for rule in "xy"]
    assert ordered([info, *reversed(errors)]) == (*errors, info)


def test_the_same_finding_is_told_once() -> None:
    assert len(ordered([_finding(Level.INFO, "GET /a")] * 3)) == 1


def test_what_is_left_out_is_told_and_as_grave_as_the_gravest_of_it() -> None:
    findings = [_finding(Level.ERROR, f"GET /{n}") for n in range(3)]
    *kept, more = ordered([*findings, _finding(Level.INFO, "GET /a")], limit=2)
    assert kept == findings[:2]
    assert (more.rule, more.level) == (TOO_MANY, Level.ERROR)
    assert "2 more findings" in more.sentence


def test_the_gravest_of_no_findings_is_none() -> None:
    assert gravest([]) is None
    assert gravest([_finding(Level.INFO, ""), _finding(Level.WARNING, "")]) is Level.WARNING
