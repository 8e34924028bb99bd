"""Texts that are kept apart from what refers to them, by their hash."""

from strawberry.dataloader import DataLoader

from controlplane.graphql.loaders import Info, Request


async def document(info: Info, sha256: str) -> bytes:
    """Return the document with a hash (hex); those asked for together come by one statement.

    Whoever sees the hash may see the document.
    """
    request = info.context
    loader = request.loaders.get(document)
    if loader is None:

        async def load(hashes: list[str]) -> list[bytes]:
            return await _documents(request, hashes)

        loader = request.loaders[document] = DataLoader(load)
    body: bytes = await loader.load(sha256)
    return body


async def _documents(request: Request, hashes: list[str]) -> list[bytes]:
    wanted = [bytes.fromhex(each) for each in hashes]
    rows = await request.fetch("SELECT sha256, body FROM documents WHERE sha256 = ANY($1)", wanted)
    found = {row["sha256"]: row["body"] for row in rows}
    return [found[each] for each in wanted]
