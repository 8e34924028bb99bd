"""Personal data in events: readable only while the key of the person exists."""

from dataclasses import dataclass

from domain.aggregate import Value


@dataclass(frozen=True)
class Sealed(Value):
    """A text about a person, encrypted under a key of that person in that organization.

    `person` is the UUID under which the key is kept, `box` is base64 of nonce and ciphertext.
    Destroying the key erases the text everywhere while the event, and every hash over it, stays.
    """

    NAME = "sealed"
    person: str
    box: str
