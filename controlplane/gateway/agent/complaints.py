"""What an agent complains of, said once for as long as it stays the same."""

from datetime import datetime, timedelta

import structlog

AGAIN = timedelta(minutes=5)
log = structlog.get_logger()


class Complaints:
    """Errors on standard error: each once, and again when it changes or every five minutes."""

    def __init__(self) -> None:
        """Begin with none."""
        self._told: dict[tuple[str, str], tuple[str, datetime]] = {}

    def tell(self, event: str, error: str, at: datetime, kind: str = "") -> None:
        """Log an error of a kind, unless the same was logged less than five minutes ago."""
        former, told_at = self._told.get((event, kind), ("", at))
        if former == error and timedelta(0) <= at - told_at < AGAIN:
            return
        self._told[event, kind] = error, at
        log.error(event, error=error, **({"kind": kind} if kind else {}))

    def end(self) -> None:
        """Take it that all is well, so that what goes wrong next is told."""
        self._told.clear()
