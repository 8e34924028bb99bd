"""What happens to persons beside the history: their keys, and the addresses they are found by.

Events decide, and are committed first; only then is a key destroyed, and every step here can be
done again. Cut short after the commit, it is made good by a retry and by the timer; were it the
other way round, a command that is refused in the end would already have erased somebody.
"""

from uuid import UUID

from controlplane.context import Services
from domain.reservation import Reservation
from domain.sealed import Sealed

MAIL = "mail"
_BLUR = (
    "UPDATE commands SET request_hash = '',"
    " key = replace(key, encode(request_hash, 'hex'), position::text) FROM stored_events AS s"
    " WHERE (s.originator_id = $2 OR s.originator_id IN (SELECT id FROM invitation"
    " WHERE organization_id = $1 AND developer_id = $2)) AND s.originator_version = 1"
    " AND organization = $1::text AND position >= s.notification_id"
    " AND position - events < s.notification_id"
)


async def free_address(
    services: Services, organization_id: UUID, person_id: UUID, mail: Sealed
) -> None:
    """Let the address of a person be used again. Raises UnavailableError."""
    address = await _held(services, organization_id, person_id, mail)
    if address is not None:
        await services.vault.destroy(organization_id, unname=address)


async def erase(services: Services, organization_id: UUID, person_id: UUID, mail: Sealed) -> None:
    """Make name and mail of a person unreadable for ever, and the address usable again.

    The hash of the command that registered or invited them, by which a retry is recognised for
    a day, is of name and mail in the clear: it is blurred, also in a visitor's key. A retry is
    refused as another request, a visitor's is a new one. Raises UnavailableError.
    """
    address = await _held(services, organization_id, person_id, mail)
    async with services.lend() as connection:
        await connection.execute(_BLUR, organization_id, person_id)
    await services.vault.destroy(organization_id, person_id, unname=address)


async def _held(
    services: Services, organization_id: UUID, person_id: UUID, mail: Sealed
) -> str | None:
    """Return the address if the person is the one who holds it; None too when it was erased.

    Whoever left gave it back, and it may be somebody else's by now.
    """
    (address,) = await services.vault.open(organization_id, [mail])
    if address is None:
        return None
    name = await services.vault.blind_if_named(organization_id, address)
    if name is None:
        return None
    stream = Reservation.stream(str(organization_id), MAIL, name)
    reservation = await services.store.load(stream)
    held = isinstance(reservation, Reservation) and reservation.holder_id == person_id
    return address if held else None
