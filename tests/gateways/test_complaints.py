"""What an agent says again, and what it says once."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from controlplane.gateway.agent.complaints import AGAIN, Complaints
from tests.given import AT


@pytest.mark.parametrize(
    ("error", "later_s", "times"),
    [
        ("refused", 2, 1),
        ("refused", AGAIN.total_seconds(), 2),
        ("another", 2, 2),
        ("refused", -3_600, 2),  # the clock was set back
    ],
)
def test_an_error_is_told_again_when_it_changes_or_lasts(
    error: str, later_s: float, times: int
) -> None:
    complaints = Complaints()
    with capture_logs() as logged:
        complaints.tell("agent.failed", "refused", AT, "SourceError")
        complaints.tell("agent.failed", error, AT + timedelta(seconds=later_s), "SourceError")

    assert len(logged) == times
    assert logged[-1]["error"] == error


def test_an_error_that_was_over_is_told_when_it_is_back() -> None:
    complaints = Complaints()
    with capture_logs() as logged:
        complaints.tell("agent.failed", "refused", AT)
        complaints.end()
        complaints.tell("agent.failed", "refused", AT)

    assert [each["event"] for each in logged] == ["agent.failed"] * 2
