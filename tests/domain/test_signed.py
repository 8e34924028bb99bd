from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.config_document import apply, content_hash
from domain.signed import (
    SKEW_S,
    ContentMismatchError,
    DocumentAheadError,
    DocumentStaleError,
    SignatureInvalidError,
    SignatureMissingError,
    SignerUnknownError,
    UntrustedError,
    check_age,
    jwk,
    sign,
    trusted,
    verify,
    verify_snapshot,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)
KEY, OTHER = bytes(range(32)), bytes(32)
JWK = jwk(KEY)
ROWS: dict[str, Any] = {"products": [{"id": "a"}], "versions": [], "plans": [], "subscriptions": []}


def signed(**said: Any) -> dict[str, Any]:
    """Return a snapshot of one product, which says this besides and is signed."""
    document = {
        "group": {"id": "g"},
        "cursor": "1.5",
        "full": True,
        "issued_at": AT.isoformat(),
        "max_staleness_s": 60,
        "signing_keys": [JWK],
        **ROWS,
        **said,
    }
    if document["full"]:
        document["content_hash"] = content_hash(document)
    return {**document, "signature": sign(document, KEY)}


def test_a_snapshot_is_trusted_by_the_key_that_signed_it() -> None:
    verify_snapshot(signed(), [jwk(OTHER), JWK], AT)


def test_a_key_is_named_by_its_thumbprint_as_rfc_8037_has_it() -> None:
    private = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")

    assert jwk(private)["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    assert jwk(private)["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize(
    "changed",
    [
        {"cursor": "1.6"},
        {"content_hash": "0" * 64},
        {"issued_at": (AT + timedelta(days=1)).isoformat()},
        {"signing_keys": [jwk(OTHER)]},
        {"later": "added"},
        {"group": {"id": "another"}},
    ],
)
def test_whatever_is_changed_of_a_statement_breaks_its_signature(changed: dict[str, Any]) -> None:
    with pytest.raises(SignatureInvalidError):
        verify({**signed(), **changed}, [JWK])


@pytest.mark.parametrize(
    "changed", [{"products": []}, {"products": [{"id": "b"}]}, {"products": None}, {"full": False}]
)
def test_other_rows_are_not_what_was_signed(changed: dict[str, Any]) -> None:
    with pytest.raises(ContentMismatchError):
        verify_snapshot({**signed(), **changed}, [JWK], AT)


@pytest.mark.parametrize(
    ("signature", "error"),
    [
        (None, SignatureMissingError),
        ("text", SignatureMissingError),
        ({"algorithm": "none", "key_id": JWK["kid"], "value": ""}, SignatureMissingError),
        ({"algorithm": "Ed25519", "key_id": "unknown", "value": ""}, SignerUnknownError),
        ({"algorithm": "Ed25519", "key_id": JWK["kid"]}, SignatureInvalidError),
        ({"algorithm": "Ed25519", "key_id": JWK["kid"], "value": 1}, SignatureInvalidError),
        ({"algorithm": "Ed25519", "key_id": JWK["kid"], "value": "ü"}, SignatureInvalidError),
        (dict(sign(signed(), OTHER), key_id=JWK["kid"]), SignatureInvalidError),
    ],
)
def test_what_is_no_signature_of_ours_is_refused(
    signature: object, error: type[UntrustedError]
) -> None:
    with pytest.raises(error):
        verify({**signed(), "signature": signature}, [JWK])


def test_what_a_delta_leads_to_is_a_snapshot_that_is_signed() -> None:
    held = signed()
    then = signed(cursor="1.6", products=[{"id": "a"}, {"id": "b"}])
    delta = {**then, "full": False, "since": "1.5", "removed": [], "products": [{"id": "b"}]}

    verify(delta, [JWK])
    assert apply(held, delta) == then
    verify_snapshot(apply(held, delta), [JWK], AT)


def test_a_document_may_be_used_for_as_long_as_it_says_give_or_take_the_clocks() -> None:
    until = AT + timedelta(seconds=60 + SKEW_S)

    check_age(signed(), AT - timedelta(seconds=SKEW_S))
    check_age(signed(), until - timedelta(seconds=1))
    with pytest.raises(DocumentStaleError):
        check_age(signed(), until)
    with pytest.raises(DocumentAheadError):
        check_age(signed(), AT - timedelta(seconds=SKEW_S + 1))


def test_a_signed_head_names_the_keys_to_trust_next() -> None:
    document = signed(signing_keys=[JWK, jwk(OTHER)])
    verify(document, [JWK])

    then = {**signed(), "signature": sign(signed(), OTHER)}
    verify(then, trusted(document))
