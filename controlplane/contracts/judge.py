"""The judge: asks a process of its own what rules find in contracts, and remembers the answer."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import orjson
import structlog

import domain.contract
from controlplane.contracts.codec import encoded, not_judged
from controlplane.store import Pool, lent
from domain.aggregate import DomainError
from domain.contract.diff.terms import Terms

JUDGED_S = 60.0
"""How long one question may take; GitHub's whole description takes about 5 s."""
AT_ONCE = 1
WAITING = 20
KEPT = 2_000
"""Answers; the oldest are forgotten, and worked out again when they are asked for."""
ENGINES = ("graphql-core", "jsonschema-rs", "PyYAML")
log = structlog.get_logger()


class JudgeBusyError(DomainError):
    """Too many contracts are being judged; try again in a minute."""


@cache
def engine() -> str:
    """Return what the rules are known by: any other source, or library below it, is another one."""
    folder = Path(domain.contract.__file__).parent
    digest = sha256(" ".join(f"{name} {version(name)}" for name in ENGINES).encode())
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".py", ".yaml"}:
            digest.update(path.read_bytes())
    return digest.hexdigest()


class Judge:
    """What rules find in contracts, found once for the same documents, terms and rules."""

    def __init__(self, pool: Pool, budget_s: float, limit_s: float = JUDGED_S) -> None:
        self._pool = pool
        self._budget_s = budget_s
        self._limit_s = limit_s
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._asked: dict[bytes, asyncio.Future[bytes]] = {}

    async def differences(
        self, old_sha256: str, new_sha256: str, terms: Terms, *, new: bytes | None = None
    ) -> bytes:
        """Return what changed from one document to the other as encoded findings.

        `new` is the content of the second one if it is not stored yet.
        Raises JudgeBusyError, UnavailableError.
        """
        if old_sha256 == new_sha256:
            return encoded(())
        told: dict[str, object] = {
            "kind": "differences",
            "today": terms.today.isoformat(),
            "notice": dict(terms.notice_days),
            "stable_from": terms.stable_from,
        }
        return await self._answer(told, {old_sha256: None, new_sha256: new})

    async def lint(self, document_sha256: str) -> bytes:
        """Return what the rules of style say about a document as encoded findings.

        Raises JudgeBusyError, UnavailableError.
        """
        return await self._answer({"kind": "lint"}, {document_sha256: None})

    async def _answer(
        self, told: dict[str, object], documents: Mapping[str, bytes | None]
    ) -> bytes:
        asked = orjson.dumps([told, [*documents], engine()], option=orjson.OPT_SORT_KEYS)
        question = sha256(asked).digest()
        known = await self._known(question)
        if known is not None:
            return known
        asking = self._asked.get(question)
        if asking is None:  # those who ask the same meanwhile share the answer
            asking = asyncio.ensure_future(self._work_out(question, told, documents))
            self._asked[question] = asking
            asking.add_done_callback(partial(self._forget, question))
        return await asyncio.shield(asking)

    def _forget(self, question: bytes, asked: asyncio.Future[bytes]) -> None:
        del self._asked[question]
        if not asked.cancelled():
            asked.exception()  # whoever asked may have gone

    async def _work_out(
        self, question: bytes, told: dict[str, object], documents: Mapping[str, bytes | None]
    ) -> bytes:
        if self._waiting >= WAITING:
            raise JudgeBusyError
        self._waiting += 1
        try:
            async with self._places:
                bodies = [
                    await self._document(digest) if body is None else body
                    for digest, body in documents.items()
                ]
                findings = await self._ask({**told, "bytes": [*map(len, bodies)]}, bodies)
        finally:
            self._waiting -= 1
        if findings is None:  # not kept: a busy machine may have been the reason
            return encoded([not_judged(f"It took more than {self._limit_s:.0f} s or 3 GB.")])
        async with lent(self._pool, self._budget_s) as connection:
            await connection.execute(
                "INSERT INTO contract_findings (question, findings) VALUES ($1, $2)"
                " ON CONFLICT DO NOTHING",
                question,
                findings,
            )
            await connection.execute(
                "DELETE FROM contract_findings WHERE question = ANY(ARRAY("
                "SELECT question FROM contract_findings ORDER BY asked_at DESC OFFSET $1))",
                KEPT,
            )
        return findings

    async def _known(self, question: bytes) -> bytes | None:
        async with lent(self._pool, self._budget_s) as connection:
            found: bytes | None = await connection.fetchval(
                "SELECT findings FROM contract_findings WHERE question = $1", question
            )
        return found

    async def _document(self, hexadecimal: str) -> bytes:
        async with lent(self._pool, self._budget_s) as connection:
            body = await connection.fetchval(
                "SELECT body FROM documents WHERE sha256 = $1", bytes.fromhex(hexadecimal)
            )
        assert isinstance(body, bytes)  # of a version that was defined
        return body

    async def _ask(self, question: dict[str, object], documents: Sequence[bytes]) -> bytes | None:
        """Return what a worker finds, None if it does not in time and memory."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "controlplane.contracts.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # it may quote what the documents hold
        )
        said = b"".join([orjson.dumps(question), b"\n", *documents])
        try:
            async with asyncio.timeout(self._limit_s):
                findings, _ = await process.communicate(said)
        except TimeoutError:
            findings = b""
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
        if process.returncode != 0 or not findings:
            log.warning("contract.not_judged", kind=question["kind"], code=process.returncode)
            return None
        return findings

    async def close(self) -> None:
        """End what is being asked."""
        for asking in list(self._asked.values()):
            asking.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)
