"""Documents known by the SHA-256 of their text: registered by clients, or listed by the operator.

Rows are shared by all processes and outlive them; each process keeps at hand what it used last.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta

from controlplane.app import App
from controlplane.graphql.allowlist import allowed, digest
from controlplane.graphql.documents import DOCUMENT_CHARS
from controlplane.graphql.errors import RefusedError
from controlplane.graphql.graphql_request import GraphQLRequest, RefusedRequestError, request_of
from domain.text import storable

REGISTERED = 10_000
"""Documents kept in the database; beyond it the longest unused go, anonymous clients' first."""
UNUSED_DAYS = 30
"""A document that nobody asked for this long is forgotten."""
AT_HAND = 500
TOUCH = timedelta(days=1)
"""How often it is noted that a document is still in use."""
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.ASCII)
_FIND = """
UPDATE persisted_documents SET used_at = clock_timestamp()
WHERE sha256 = $1 AND used_at > clock_timestamp() - $2::interval RETURNING document
"""
_KEEP = """
INSERT INTO persisted_documents VALUES ($1, $2, $3, clock_timestamp())
ON CONFLICT (sha256) DO UPDATE SET
    used_at = clock_timestamp(), anonymous = persisted_documents.anonymous AND $3
"""
_TRIM = """
DELETE FROM persisted_documents WHERE sha256 = ANY(ARRAY(
    SELECT sha256 FROM persisted_documents ORDER BY anonymous, used_at DESC OFFSET $1 LIMIT $2))
"""
_FORGET = """
DELETE FROM persisted_documents WHERE sha256 = ANY(ARRAY(
    SELECT sha256 FROM persisted_documents WHERE anonymous = $1
    AND used_at < clock_timestamp() - $2::interval ORDER BY used_at LIMIT $3))
"""
BATCH_ROWS = 100


class Persisted:
    """The documents that are known by their hashes; one of it serves a process."""

    def __init__(self, app: App) -> None:
        """Read the allowed documents, if only those are served. Raises PersistedDocumentsError."""
        self._app = app
        self._mode = app.settings.persisted
        where = app.settings.persisted_documents
        self._allowed = allowed(where) if self._mode == "allow-list" else {}
        self._at_hand: OrderedDict[str, tuple[str, datetime]] = OrderedDict()

    async def read(self, given: Mapping[str, object], refused: int) -> GraphQLRequest:
        """Return what the request asks for, its document found by its hash if need be.

        Raises RefusedRequestError, with the status `refused` for an unknown document.
        """
        wanted = _hash(given)
        query = given.get("query")
        if wanted is None:
            self._admit(query, refused)
            return request_of(given)
        if self._mode == "off":
            raise _refused(refused, "NOT_SUPPORTED", "PersistedQueryNotSupported")
        if isinstance(query, str) and query:
            if digest(query) != wanted:
                raise RefusedRequestError(400, "The hash is not that of the document.")
            self._admit(query, refused)
            register = wanted if self._mode == "register" else None
            return request_of(given)._replace(register=register)
        found = await self._find(wanted)
        if found is None:
            raise _refused(refused, "NOT_FOUND", "PersistedQueryNotFound")
        return request_of({**given, "query": found})

    async def register(self, request: GraphQLRequest, *, anonymous: bool) -> None:
        """Keep a document that was admitted, if the client asks for that.

        Raises UnavailableError.
        """
        wanted, text = request.register, request.query
        if wanted is None or wanted in self._at_hand:
            return
        if len(text) > DOCUMENT_CHARS or not storable(text):
            return  # it is answered, and never found by its hash
        async with self._app.services.lend() as connection:
            await connection.execute(_KEEP, bytes.fromhex(wanted), text, anonymous)
            await connection.execute(_TRIM, REGISTERED, BATCH_ROWS)
            for each in (True, False):
                await connection.execute(_FORGET, each, timedelta(days=UNUSED_DAYS), BATCH_ROWS)
        self._remember(wanted, text)

    def _admit(self, query: object, refused: int) -> None:
        if self._mode != "allow-list":
            return
        if not (isinstance(query, str) and query and digest(query) in self._allowed):
            raise RefusedRequestError(
                refused,
                RefusedError("NOT_PERMITTED", "Only documents that the operator listed are served"),
            )

    async def _find(self, wanted: str) -> str | None:
        if self._mode == "allow-list":
            return self._allowed.get(wanted)
        text, noted_at = self._at_hand.get(wanted, (None, None))
        if text is not None and noted_at is not None:
            self._at_hand.move_to_end(wanted)
            if self._app.services.now() - noted_at < TOUCH:
                return text
        async with self._app.services.lend() as connection:
            row = await connection.fetchrow(
                _FIND, bytes.fromhex(wanted), timedelta(days=UNUSED_DAYS)
            )
        if row is None:
            self._at_hand.pop(wanted, None)
            return None
        found: str = row["document"]
        self._remember(wanted, found)
        return found

    def _remember(self, wanted: str, text: str) -> None:
        self._at_hand[wanted] = (text, self._app.services.now())
        self._at_hand.move_to_end(wanted)
        if len(self._at_hand) > AT_HAND:
            self._at_hand.popitem(last=False)


def _hash(given: Mapping[str, object]) -> str | None:
    """Return the hash by which a document is asked for, or to be registered."""
    named, extensions = given.get("documentId"), given.get("extensions")
    if named is None and isinstance(extensions, dict):
        persisted = extensions.get("persistedQuery")
        if persisted is None:
            return None
        if not isinstance(persisted, dict) or persisted.get("version") != 1:
            raise RefusedRequestError(400, "`persistedQuery` is no object of version 1.")
        named = persisted.get("sha256Hash", "")
    if named is None:
        return None
    form = _SHA256.fullmatch(named) if isinstance(named, str) else None
    if form is None:
        raise RefusedRequestError(400, "A document is known by its SHA-256 in hexadecimal digits.")
    return form[1]


def _refused(status: int, code: str, message: str) -> RefusedRequestError:
    """Return the refusal in the words that clients of persisted queries know."""
    return RefusedRequestError(status, RefusedError(f"PERSISTED_QUERY_{code}", message))
