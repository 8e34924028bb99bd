"""What is logged, and what never is."""

import json
import subprocess
import sys

PROGRAM = """
import logging
import structlog
from aiohttp.http_exceptions import LineTooLong
from controlplane import logs

logs.configure("info")
log = structlog.get_logger()

def fail() -> None:
    password = "hunter2"
    raise ValueError("it failed")

with structlog.contextvars.bound_contextvars(request="trace-1"):
    log.debug("too.fine")
    log.info("something.happened", bytes=b"x", error=ValueError("odd"))
    try:
        fail()
    except ValueError:
        log.exception("something.failed")
        logging.getLogger("aiohttp.server").exception("a library failed")
logging.getLogger("asyncio").info("chatter")
try:
    raise LineTooLong(b"GET /?token=hunter2", 8190)
except LineTooLong:
    logging.getLogger("aiohttp.server").exception("Error handling request")
"""


def test_every_line_is_an_object_with_its_request_and_no_local_variable() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert "hunter2" not in done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        *("something.happened", "something.failed", "a library failed"),
        "http.malformed LineTooLong",
    ]
    assert {line["request"] for line in lines[:3]} == {"trace-1"}
    assert [line["level"] for line in lines] == ["info", "error", "error", "warning"]
    for line in lines[1:3]:
        (raised,) = line["exception"]
        assert raised["exc_value"] == "it failed"
        assert all("locals" not in frame for frame in raised["frames"])
