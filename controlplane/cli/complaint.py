"""What went wrong, in words for the person at the terminal."""

import traceback

import asyncpg
from asyncpg import connect_utils
from pydantic import ValidationError

from controlplane.address import CannotListenError
from controlplane.auth import NotAuthenticatedError
from controlplane.cli.session import UsageError
from controlplane.gateway.keyring import RotationUnderWayError
from controlplane.graphql.allowlist import PersistedDocumentsError
from controlplane.importing import ImportFailedError
from controlplane.revocations import JournalBrokenError
from controlplane.store import UNREACHABLE, UnavailableError
from controlplane.store.embedded import EmbeddedPostgresError
from controlplane.store.migrate import MigrationError
from controlplane.store.projector import ReadModelsBehindError
from controlplane.store.rebuild import RebuildRunningError
from controlplane.store.replay import NotFreshError
from controlplane.workers import WorkerFailedError
from domain.aggregate import DomainError

PLAIN = (
    CannotListenError,
    DomainError,
    EmbeddedPostgresError,
    ImportFailedError,
    JournalBrokenError,
    MigrationError,
    NotAuthenticatedError,
    NotFreshError,
    PersistedDocumentsError,
    ReadModelsBehindError,
    RebuildRunningError,
    RotationUnderWayError,
    UsageError,
    WorkerFailedError,
)
DATABASE = (
    *UNREACHABLE,
    UnavailableError,
    asyncpg.InvalidAuthorizationSpecificationError,  # a wrong password is one of these
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.exceptions.ClientConfigurationError,
    asyncpg.FeatureNotSupportedError,
)


def complaint(error: Exception) -> str | None:
    """Return what to tell, or None for what nobody foresaw; never a setting's value."""
    if isinstance(error, ValidationError):
        return "\n".join(
            f"CONTROLPLANE_{str(problem['loc'][0]).upper()}: {problem['msg']}."
            for problem in error.errors(include_input=False)
        )
    if isinstance(error, PLAIN):
        return str(error)
    if isinstance(error, OSError) and error.filename:  # a database that is away names none
        return f"{error.filename}: {error.strerror}."
    if isinstance(error, DATABASE) or _is_about_dsn(error):
        said = str(error) or "it does not answer"
        return f"The database cannot be used: {said}. CONTROLPLANE_DATABASE_URL names it."
    return None


def _is_about_dsn(error: Exception) -> bool:
    """Whether a DSN could not be taken apart, of which asyncpg lets any ValueError through."""
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, ValueError) and any(
        frame.filename.endswith(connect_utils.__name__.replace(".", "/") + ".py")
        for frame in frames
    )
