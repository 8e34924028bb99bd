"""What text may be: the rules for names, slugs, prose and addresses that people type."""

import re
from urllib.parse import urlsplit

from domain.aggregate import DomainError

LABEL_CHARS = 200
PROSE_CHARS = 20_000
URL_CHARS = 2_000
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}")


class LabelInvalidError(DomainError):
    """A name has 1 to 200 characters on one line, without control characters."""


class ProseInvalidError(DomainError):
    """A text has at most 20,000 characters and no NUL."""


class SlugInvalidError(DomainError):
    """A slug has 1 to 63 lower-case letters, digits and hyphens; no hyphen at either end."""


class UrlInvalidError(DomainError):
    """An address is an http or https URL with a host, no user, and at most 2,000 characters."""


class MailInvalidError(DomainError):
    """A mail address has one @ between a name and a domain, and at most 254 characters."""


def label(text: str, about: str) -> str:
    """Return the text without blanks around it. Raises LabelInvalidError."""
    trimmed = text.strip()
    if not 0 < len(trimmed) <= LABEL_CHARS or _UNPRINTABLE.search(trimmed):
        raise LabelInvalidError(about)
    return trimmed


def prose(text: str, about: str) -> str:
    """Return the text, which may be empty and have lines. Raises ProseInvalidError."""
    if len(text) > PROSE_CHARS or not storable(text):
        raise ProseInvalidError(about)
    return text


def storable(text: str) -> bool:
    """Tell whether PostgreSQL can hold the text."""
    return not _UNSTORABLE.search(text)


def slug(text: str, about: str) -> str:
    """Return the text if it can be part of a URL. Raises SlugInvalidError."""
    if not _SLUG.fullmatch(text):
        raise SlugInvalidError(about)
    return text


def url(text: str, about: str) -> str:
    """Return the text if it is the address of a server. Raises UrlInvalidError."""
    if len(text) > URL_CHARS or _UNPRINTABLE.search(text) or " " in text:
        raise UrlInvalidError(about)
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise UrlInvalidError(about) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise UrlInvalidError(about)
    return text


def mail(text: str, about: str) -> str:
    """Return the address in lower case, the form in which two are compared.

    Raises MailInvalidError.
    """
    if not _MAIL.fullmatch(text) or not storable(text):
        raise MailInvalidError(about)
    return text.lower()
