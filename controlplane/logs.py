"""Logs: one JSON object a line on standard error, never with local variables, which hold keys."""

import logging
import sys
from contextvars import ContextVar
from typing import Any

import orjson
import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.log import server_logger, web_logger
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor

PATH_CHARS = 200

REQUEST: ContextVar[str] = ContextVar("request")
"""The id of the request that is being answered: whatever is logged meanwhile names it."""

log = structlog.get_logger()


def configure(level: str) -> None:
    """Send what structlog and the standard library log from `level` on to standard error."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(_json)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(_json),
            ],
        )
    )
    # Libraries log for their own developers; of theirs only what went wrong matters here.
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
    for own in (server_logger, web_logger):
        own.addFilter(malformed)


def malformed(record: logging.LogRecord) -> bool:
    """Have of a request that is no HTTP only its kind logged; what is quoted may hold a token."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args = f"http.malformed {type(error).__name__}", ()
        record.exc_info = None
    return True


def _with_request(_logger: object, _name: str, event: EventDict) -> EventDict:
    request = REQUEST.get(None)
    if request is not None:
        event.setdefault("request", request)
    return event


def _json(event: Any, **_: Any) -> str:  # noqa: ANN401  # structlog's own signature
    return orjson.dumps(event, str, orjson.OPT_NON_STR_KEYS).decode()


class AccessLogger(AbstractAccessLogger):
    """Logs the requests that failed; `EveryAccessLogger` those that succeeded too.

    Neither addresses nor queries: the one are personal, the others may be anything.
    """

    successes = False

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Log one finished request."""
        failed = response.status >= web.HTTPBadRequest.status_code
        if not (failed or self.successes):
            return
        write = log.warning if failed else log.info
        write(
            "http.request",
            method=request.method[:PATH_CHARS],
            path=request.path[:PATH_CHARS],
            status=response.status,
            bytes=response.body_length,
            duration_ms=round(time * 1_000, 1),
            request=response.headers.get("X-Request-Id", ""),
        )


class EveryAccessLogger(AccessLogger):
    """Logs every request."""

    successes = True
