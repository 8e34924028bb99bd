"""What an agent says of itself, in a file that anyone may look at."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from controlplane.gateway.agent import files
from domain.unserved import Unserved

UNSERVED = 100
MODE = 0o644


@dataclass
class Status:
    """The state of an agent; its file is as old as the last answer or failure, a minute at most."""

    path: Path
    cursor: str | None = None
    content_hash: str | None = None
    enforced: bool = False
    """Whether the gateway runs what the cursor names."""
    heard_at: datetime | None = None
    stale: bool = False
    """Whether nothing was heard for longer than the configuration allows."""
    error: str = ""
    unserved: tuple[Unserved, ...] = ()

    def write(self, at: datetime) -> None:
        """Put the file in place."""
        said = {
            "at": at,
            "cursor": self.cursor,
            "content_hash": self.content_hash,
            "enforced": self.enforced,
            "heard_at": self.heard_at,
            "age_s": (at - self.heard_at).total_seconds() if self.heard_at else None,
            "stale": self.stale,
            "error": self.error or None,
            "unserved_count": len(self.unserved),
            "unserved": [vars(each) for each in self.unserved[:UNSERVED]],
        }
        options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        files.write(self.path, orjson.dumps(said, option=options), MODE)
