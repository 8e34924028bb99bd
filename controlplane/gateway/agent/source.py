"""The control plane as an agent asks it: the long poll, and the acknowledgement."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

from controlplane.gateway.agent.files import DOCUMENT_BYTES
from domain.aggregate import DomainError

CONNECT_S = 5
ANSWER_S = 30
"""How long an answer may take beyond the wait that was asked for."""
CHUNK_BYTES = 2**18
REASON_CHARS = 1_000
REFUSAL_BYTES = 2**14
_OK, _NOT_MODIFIED = 200, 304
_FINAL = {400, 401, 403}
_FORBIDDEN = "FORBIDDEN"
_ACKNOWLEDGE = (
    "mutation ($input: AcknowledgeConfigInput!) { said: acknowledgeConfig(input: $input)"
    " { diverged } }"
)
_REPORT = (
    "mutation ($input: ReportConfigErrorInput!) { said: reportConfigError(input: $input)"
    " { reportedAt } }"
)


class SourceError(DomainError):
    """The control plane did not answer as it should."""


class SourceRefusedError(SourceError):
    """The control plane refuses this agent."""


@dataclass
class Source:
    """One control plane, asked with the token of one gateway."""

    session: ClientSession
    url: str
    token: str
    group: str | None = None
    _etag: str = ""
    """Of the last answer: it also changes with the keys that sign."""

    async def poll(self, since: str | None, wait_s: float) -> dict[str, Any] | None:
        """Return a document, or None when what we hold is current. Raises SourceError."""
        query = {"wait": f"{wait_s:.3f}"} if since else {}
        query |= {"since": since} if since else {}
        query |= {"group": self.group} if self.group else {}
        timeout = ClientTimeout(total=wait_s + ANSWER_S, sock_connect=CONNECT_S)
        try:
            async with self.session.get(
                f"{self.url}/gateway/v1/config",
                params=query,
                headers={**self._headers, **({"If-None-Match": self._etag} if since else {})},
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                if response.status == _NOT_MODIFIED:
                    return None
                if response.status != _OK:
                    raise _refused(response.status, await response.content.read(REFUSAL_BYTES))
                body = bytearray()
                async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                    body += chunk
                    if len(body) > DOCUMENT_BYTES:
                        raise SourceError(detail="Its answer is too long.")
            found: dict[str, Any] = orjson.loads(body)
            self._etag = response.headers.get("ETag", "")
        except (ClientError, TimeoutError, OSError, orjson.JSONDecodeError) as error:
            raise SourceError(detail=f"{type(error).__name__}: {error}") from None
        if not isinstance(found, dict):
            raise SourceError(detail="Its answer is no document.")
        return found

    async def acknowledge(self, cursor: str, content_hash: str) -> bool:
        """Say what the gateway runs; return whether that is not what it should be.

        Raises SourceError.
        """
        said = await self._say(_ACKNOWLEDGE, {"cursor": cursor, "contentHash": content_hash})
        return bool(said["diverged"])

    async def report(self, cursor: str, reason: str) -> None:
        """Say that the gateway cannot run what it should. Raises SourceError."""
        await self._say(_REPORT, {"cursor": cursor, "reason": reason[:REASON_CHARS]})

    async def ahead(self, head: Mapping[str, Any]) -> None:
        """Prove by what we hold that the control plane was set back. Raises SourceError."""
        try:
            async with self.session.post(
                f"{self.url}/gateway/v1/ahead",
                json=head,
                headers=self._headers,
                timeout=ClientTimeout(total=ANSWER_S, sock_connect=CONNECT_S),
                allow_redirects=False,
            ) as response:
                await response.read()
        except (ClientError, TimeoutError, OSError) as error:
            raise SourceError(detail=f"{type(error).__name__}: {error}") from None

    async def _say(self, mutation: str, said: dict[str, str]) -> dict[str, Any]:
        try:
            async with self.session.post(
                f"{self.url}/gateway/graphql",
                json={"query": mutation, "variables": {"input": said}},
                headers=self._headers,
                timeout=ClientTimeout(total=ANSWER_S, sock_connect=CONNECT_S),
                allow_redirects=False,
            ) as response:
                status, body = response.status, await response.read()
            found: dict[str, Any] = orjson.loads(body)["data"]["said"]
        except (ClientError, TimeoutError, OSError) as error:
            raise SourceError(detail=f"{type(error).__name__}: {error}") from None
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise _refused(status, body) from None
        return found

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def _refused(status: int, body: bytes) -> SourceError:
    """Return the error of an answer, with what a problem document or GraphQL says in it."""
    said, code = "", ""
    with suppress(orjson.JSONDecodeError, AttributeError, KeyError, IndexError, TypeError):
        answer = orjson.loads(body)
        said = answer.get("detail") or answer["errors"][0]["message"]
        code = answer["errors"][0]["extensions"]["code"]
    error = SourceRefusedError if status in _FINAL or code == _FORBIDDEN else SourceError
    if status == _OK:  # as GraphQL refuses
        return error(detail=f"It refused: {said}" if said else "Its answer is none.")
    return error(detail=f"It answered {status}{f': {said}' if said else '.'}")
