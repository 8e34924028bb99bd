"""Importing: an API description, from a file or the web, becomes a product and a version of it."""

import asyncio
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from uuid import UUID

from controlplane.commands import Answer, execute
from controlplane.commands.api_product import DefineProduct, PublishProduct
from controlplane.commands.api_version import DefineVersion
from controlplane.commands.review import PublishVersion
from controlplane.context import Context
from domain.api_version import Upstream
from domain.audience import Visibility
from domain.contract.contract import Contract
from domain.contract.document import DOCUMENT_BYTES
from domain.contract.read import read_contract
from domain.reservation import AlreadyTakenError, Reservation

FETCH_S = 60.0
CONNECT_S = 10.0
REDIRECTS = 5
SLUG_CHARS = 63
_NUMBERS = re.compile(r"[vV]?(\d{1,9})(?:[.-](\d{1,9}))?(?:[.-](\d{1,9}))?([-+][0-9A-Za-z.+-]+)?")


class ImportFailedError(Exception):
    """The import cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class Target:
    """What a document is imported as; None is taken from the document, else from its name."""

    product: str | None = None
    name: str | None = None
    number: str | None = None
    upstreams: tuple[Upstream, ...] = ()
    visibility: Visibility = Visibility.PRIVATE
    publish: bool = False


@dataclass(frozen=True)
class Imported:
    """What an import made."""

    product_id: UUID
    version_id: UUID
    product: str
    number: str
    title: str
    operations: int
    position: int


async def fetch(source: str) -> bytes:
    """Return the document in a file or behind an http(s) address.

    At most DOCUMENT_BYTES within FETCH_S. Raises ImportFailedError.
    """
    if re.match("https?://", source, re.IGNORECASE):
        return await _fetch_from_web(source)
    return await asyncio.to_thread(_read_file, Path(source))


def _read_file(path: Path) -> bytes:
    if path.is_dir():
        raise ImportFailedError(f"{path} is a directory; name the file with the description.")
    try:
        with path.open("rb") as opened:
            document = opened.read(DOCUMENT_BYTES + 1)
    except OSError as error:
        raise ImportFailedError(f"{path} cannot be read: {error.strerror or error}.") from None
    return _bounded(document, str(path))


async def _fetch_from_web(url: str) -> bytes:
    import aiohttp  # noqa: PLC0415  # a third of a second that files need not wait

    timeout = aiohttp.ClientTimeout(total=FETCH_S, connect=CONNECT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(url, max_redirects=REDIRECTS) as response,
        ):
            if not response.ok:
                raise ImportFailedError(f"{url} answers {response.status} {response.reason}.")
            document = bytearray()
            async for chunk in response.content.iter_chunked(1 << 16):
                document += chunk
                if len(document) > DOCUMENT_BYTES:
                    break
    except TimeoutError:
        raise ImportFailedError(f"{url} did not answer in full within {FETCH_S:.0f} s.") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        said = str(error) or type(error).__name__
        raise ImportFailedError(f"{url} cannot be fetched: {said}.") from None
    return _bounded(bytes(document), url)


def _bounded(document: bytes, source: str) -> bytes:
    if len(document) > DOCUMENT_BYTES:
        raise ImportFailedError(
            f"{source} has more than {DOCUMENT_BYTES // 1_000_000} MB, the most a description has."
        )
    return document


async def import_document(
    context: Context, document: bytes, source: str, target: Target
) -> Imported:
    """Define a version with the document, first its product if there is none of that slug.

    `source` is where the document came from. The read models must have caught up. Raises
    ImportFailedError, DomainError, UnavailableError.
    """
    contract = await asyncio.to_thread(read_contract, document)
    title = target.name or contract.title or _stem(source)
    slug = target.product or slug_of(title)
    if not slug:
        raise ImportFailedError(f"No slug can be made of {title!r}; give one with --product.")
    number = target.number or _number(contract)
    product_id, position = await _product(context, slug, title, contract, target)
    try:
        defined = await execute(
            DefineVersion(
                product_id=product_id,
                number=number,
                document=document,
                upstreams=target.upstreams,
            ),
            context,
        )
    except AlreadyTakenError:
        raise ImportFailedError(
            f"{slug} {number} exists already, and what a version says never changes. If this is"
            f" another one, give it a number of its own, such as --version {_following(number)}."
        ) from None
    version_id = begun_by(defined)
    position = defined.outcome.position or position
    if target.publish:
        published = await execute(PublishVersion(version_id=version_id), context)
        position = published.outcome.position or position
    return Imported(product_id, version_id, slug, number, title, len(contract.operations), position)


async def _product(
    context: Context, slug: str, name: str, contract: Contract, target: Target
) -> tuple[UUID, int]:
    """Return the product of the slug, published if that is asked, and the position it is at."""
    row = await context.services.pool.fetchrow(
        "SELECT id, state FROM product WHERE organization_id = $1 AND slug = $2",
        context.caller.organization_id,
        slug,
    )
    if row is None:
        defined = await execute(
            DefineProduct(
                slug=slug,
                name=name,
                description=contract.description,
                visibility=target.visibility,
            ),
            context,
        )
        product_id, position = begun_by(defined), defined.outcome.position
        state = "DRAFT"
    else:
        product_id, position, state = row["id"], 0, row["state"]
    if target.publish and state == "DRAFT":
        published = await execute(PublishProduct(product_id=product_id), context)
        position = published.outcome.position
    return product_id, position or 0


def begun_by(answer: Answer) -> UUID:
    """Return the id of what a command began; the values it reserved do not count."""
    return next(
        event.originator_id
        for event in answer.outcome.events
        if not isinstance(event, Reservation.Event)
    )


def slug_of(title: str) -> str:
    """Return the title as a slug, "" when no letter or digit of it can be in one."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")[:SLUG_CHARS].strip("-")


def _stem(source: str) -> str:
    return PurePosixPath(urlsplit(source).path).stem


def _number(contract: Contract) -> str:
    """Return the document's own version as a semantic one: v2 is 2.0.0, 2026-01-31 is 2026.1.31."""
    if not contract.version:
        return "1.0.0"
    form = _NUMBERS.fullmatch(contract.version.strip())
    if form is None:
        raise ImportFailedError(
            f"The document calls its version {contract.version!r}; say which semantic version"
            " that is, such as --version 1.0.0."
        )
    return ".".join(str(int(part or 0)) for part in form.groups()[:3]) + (form[4] or "")


def _following(number: str) -> str:
    major, minor, patch = re.split("[-+]", number)[0].split(".")
    return f"{major}.{minor}.{int(patch) + 1}"
