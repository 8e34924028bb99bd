"""Answers about the public catalogue, kept as bytes for whoever asks the same without a token.

An answer is given again until something happens that the public catalogue may show, and for
KEPT_S at most: by then another process has it from the database again, whatever it has heard.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias

import orjson
from graphql import ExecutionResult

from controlplane.app import App

KEPT_S = 1.0
KEPT_BYTES = 32 * 2**20
ANSWER_BYTES = 2**20
"""A larger answer is not kept, nor is one to larger variables."""
OVERHEAD_BYTES = 500
"""What an answer takes besides its text and that of its question."""
CHAR_BYTES = 4
ROOTS = frozenset({"plan", "plans", "product", "products"})
"""The fields of Query of which answers are kept: they tell the same to all without a token."""
HIDDEN = frozenset(
    {
        "access_token",
        "application",
        "developer",
        "gateway",
        "gateway_group",
        "invitation",
        "release_line",
        "reservation",
        "subscription",
        "team",
    }
)
"""What happens to these nouns changes nothing that can be seen without a token."""
Key: TypeAlias = tuple[str, str | None, bytes]


class _Kept(NamedTuple):
    """An answer, or one that is being made: the position and the time from which on it holds."""

    position: int
    at_s: float
    data: bytes | asyncio.Future[bytes | None]


class Answers:
    """The answers that were given last; one of it serves a process."""

    def __init__(self, app: App, limit_bytes: int = KEPT_BYTES, kept_s: float = KEPT_S) -> None:
        self._app = app
        self._kept_s = kept_s
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._making: dict[Key, _Kept] = {}
        self.size_bytes = 0

    async def get(
        self,
        query: str,
        operation: str | None,
        variables: dict[str, Any],
        make: Callable[[], Awaitable[ExecutionResult]],
    ) -> ExecutionResult:
        """Return the answer to a query of ROOTS by somebody without a token, made if need be."""
        try:
            key = (query, operation, orjson.dumps(variables, option=orjson.OPT_SORT_KEYS))
        except orjson.JSONEncodeError:  # nested deeper than it writes, though not than it reads
            return await make()
        kept = self._kept.get(key)
        if kept is not None and self._holds(kept):
            self._kept.move_to_end(key)
            assert isinstance(kept.data, bytes)
            return _answer(kept.data)
        making = self._making.get(key)
        if making is not None and self._holds(making):
            assert isinstance(making.data, asyncio.Future)
            data = await asyncio.shield(making.data)  # whoever makes it outlives who only waits
            if data is not None:
                return _answer(data)
        return await self._make(key, make)

    def _holds(self, kept: _Kept) -> bool:
        # What this process appended counts before it is projected.
        app = self._app
        changed_at = max(
            app.projector.news.last(but=HIDDEN), app.services.store.news.last(but=HIDDEN)
        )
        return kept.position >= changed_at and _now_s() - kept.at_s < self._kept_s

    async def _make(
        self, key: Key, make: Callable[[], Awaitable[ExecutionResult]]
    ) -> ExecutionResult:
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        making = self._making[key] = _Kept(self._app.projector.position, _now_s(), future)
        try:
            result = await make()
            if result.errors:
                return result
            data = orjson.dumps(result.data)
            future.set_result(data)
        finally:
            if not future.done():
                future.set_result(None)
            if self._making.get(key) is making:
                del self._making[key]
        self._keep(key, making._replace(data=data))
        return _answer(data)

    def _keep(self, key: Key, kept: _Kept) -> None:
        earlier = self._kept.pop(key, None)
        self.size_bytes -= _size_bytes(key, earlier) if earlier else 0
        size_bytes = _size_bytes(key, kept)
        if size_bytes <= ANSWER_BYTES:
            self._kept[key] = kept
            self.size_bytes += size_bytes
        while self.size_bytes > self._limit_bytes:
            self.size_bytes -= _size_bytes(*self._kept.popitem(last=False))


def _size_bytes(key: Key, kept: _Kept) -> int:
    assert isinstance(kept.data, bytes)
    query, _, variables = key
    return OVERHEAD_BYTES + CHAR_BYTES * len(query) + len(variables) + len(kept.data)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _answer(data: bytes) -> ExecutionResult:
    return ExecutionResult(orjson.Fragment(data))  # type: ignore[arg-type]  # it is only written
