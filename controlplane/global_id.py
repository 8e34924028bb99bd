"""Global ids: what everything is known by, to clients that need not know what it is."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from controlplane.ids import DriverUUID

ID_CHARS = 200
_PARTS = 2
_TEXT = re.compile(r"[A-Za-z0-9]{1,60}", re.ASCII)


def global_id(name: str, key: tuple[object, ...]) -> str:
    """Return the id of the thing of a type that has this key in its organization."""
    text = f"{name}:{key[0]}" if len(key) == 1 else f"{name}:{'/'.join(map(str, key))}"
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def parts_of(id_: str) -> tuple[str, list[str]] | None:
    """Return the type and the parts of the key in an id; None when it is none."""
    if len(id_) > ID_CHARS or not id_.isascii():
        return None
    try:
        text = urlsafe_b64decode(id_.rstrip("=") + "=" * (-len(id_.rstrip("=")) % 4)).decode()
    except ValueError:
        return None
    parts = text.split(":")
    return (parts[0], parts[1].split("/")) if len(parts) == _PARTS else None


def key_of(kinds: tuple[str, ...], parts: list[str]) -> tuple[object, ...] | None:
    """Return the parts as values of these PostgreSQL types; None when they are none."""
    values = [_value(kind, part) for kind, part in zip(kinds, parts, strict=False)]
    return None if None in values or len(kinds) != len(parts) else tuple(values)


def _value(kind: str, part: str) -> object:
    if kind == "uuid":
        return _uuid(part)
    if kind == "bigint":
        return int(part) if re.fullmatch("[0-9]{1,18}", part) else None
    return part if _TEXT.fullmatch(part) else None


def _uuid(text: str) -> UUID | None:
    try:
        found = DriverUUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def named_key(id_: str, name: str, kinds: tuple[str, ...]) -> tuple[object, ...] | None:
    """Return the key in the id of a thing of the type `name`; None for any other id."""
    found = parts_of(id_)
    return key_of(kinds, found[1]) if found and found[0] == name else None
