"""Texts that are kept apart from what refers to them, by their hash."""

from collections.abc import Awaitable

from controlplane.graphql.loaders import Info, Request


def document(info: Info, sha256: str) -> Awaitable[bytes]:
    """Return the document with a hash (hex); those asked for together come by one statement.

    Whoever sees the hash may see the document.
    """
    return info.context.loaded(_documents, sha256)


async def _documents(request: Request, hashes: list[str]) -> list[bytes]:
    wanted = [bytes.fromhex(each) for each in hashes]
    rows = await request.fetch("SELECT sha256, body FROM documents WHERE sha256 = ANY($1)", wanted)
    found = {row["sha256"]: row["body"] for row in rows}
    return [found[each] for each in wanted]
