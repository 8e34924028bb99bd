"""Brings a database to the layout this code needs: numbered files, each once and for ever."""

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from asyncpg import Connection, Record


class MigrationError(Exception):
    """The database cannot be brought to the layout of this release."""


@dataclass(frozen=True)
class Migration:
    """One numbered SQL file."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The hash by which an edited file is noticed."""
        return sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Return the files of this release in their order."""
    folder = files("controlplane.store").joinpath("migrations")
    found = [
        Migration(int(file.name[:4]), file.name, file.read_text())
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return sorted(found, key=lambda migration: migration.number)


async def migrate(connection: "Connection[Record]") -> list[str]:
    """Run the files that this database has not seen; return their names.

    One transaction a file, one process at a time. Raises MigrationError when a file that has
    run was edited since, or when the database is of a later release.
    """
    ran: list[str] = []
    await connection.execute("SELECT pg_advisory_lock(hashtext('controlplane.migrations'))")
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (number int PRIMARY KEY,"
            " name text NOT NULL, checksum text NOT NULL, ran_at timestamptz DEFAULT now())"
        )
        rows = await connection.fetch("SELECT number, name, checksum FROM schema_migrations")
        seen = {row["number"]: row for row in rows}
        known = migrations()
        if unknown := set(seen) - {migration.number for migration in known}:
            raise MigrationError(
                f"The database has migration {max(unknown)}, which this release does not know:"
                " run the later release, or restore a backup."
            )
        for migration in known:
            if migration.number not in seen:
                async with connection.transaction():
                    await connection.execute(migration.sql)
                    await connection.execute(
                        "INSERT INTO schema_migrations VALUES ($1, $2, $3)",
                        migration.number,
                        migration.name,
                        migration.checksum,
                    )
                ran.append(migration.name)
            elif seen[migration.number]["checksum"] != migration.checksum:
                raise MigrationError(
                    f"Migration {migration.name} was edited after it ran here; restore the file"
                    " and put the change into a new one."
                )
    finally:
        await connection.execute("SELECT pg_advisory_unlock(hashtext('controlplane.migrations'))")
    return ran
