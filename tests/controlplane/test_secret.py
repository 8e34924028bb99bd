"""The form of keys and tokens: scanners find it, typing errors are noticed, ids are read off."""

import hashlib
from base64 import b64encode
from uuid import UUID

import hypothesis.strategies as st
from hypothesis import given

from controlplane import secret
from controlplane.secret import KEY_PREFIX, SECRET_BYTES, TOKEN_PREFIX

ENTROPY = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)


def test_a_secret_has_its_form_for_ever() -> None:
    minted = secret.mint(KEY_PREFIX, UUID(int=7), bytes(range(32)))
    assert minted.text == MINTED
    assert minted.id == "0000000000000000000007"
    assert minted.sha256 == hashlib.sha256(MINTED.encode()).hexdigest()
    sha1 = hashlib.sha1(MINTED.encode(), usedforsecurity=False)
    assert minted.sha1 == b64encode(sha1.digest()).decode()


MINTED = "cpk_0000000000000000000007.003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf2tbvot"


@given(st.uuids(), ENTROPY, st.sampled_from([KEY_PREFIX, TOKEN_PREFIX]))
def test_the_id_is_read_off_a_secret_of_the_right_kind(
    id_: UUID, entropy: bytes, prefix: str
) -> None:
    minted = secret.mint(prefix, id_, entropy)
    assert secret.parse(prefix, minted.text) == id_
    assert secret.name_of(id_) == minted.id
    for other in {KEY_PREFIX, TOKEN_PREFIX, "abc"} - {prefix}:
        assert secret.parse(other, minted.text) is None
    assert secret.matches(minted.text, minted.sha256)
    assert len(minted.text) == 76
    assert minted.text not in repr(minted)


@given(st.uuids(), ENTROPY, st.integers(4, 75), st.sampled_from("0aZ.é_ \n"))
def test_a_mistyped_secret_is_noticed_without_a_look_up(
    id_: UUID, entropy: bytes, place: int, char: str
) -> None:
    text = secret.mint(KEY_PREFIX, id_, entropy).text
    typed = text[:place] + char + text[place + 1 :]
    if typed != text:
        assert secret.parse(KEY_PREFIX, typed) is None
    assert secret.parse(KEY_PREFIX, text + char) is None
    assert secret.parse(KEY_PREFIX, text[:-1]) is None


@given(st.text(st.characters()) | st.from_regex(r"cpk_[0-9A-Za-z]{22}\.[0-9A-Za-z]{49}"))
def test_no_text_breaks_the_parser(text: str) -> None:
    assert secret.parse(KEY_PREFIX, text) is None or secret.parse(KEY_PREFIX, text.strip())


def test_an_id_beyond_128_bits_is_no_id() -> None:
    body = f"cpk_{'z' * 22}.{'0' * 43}"
    assert secret.parse(KEY_PREFIX, body + vars(secret)["_checksum"](body)) is None


@given(st.uuids(), ENTROPY, ENTROPY)
def test_different_entropy_is_a_different_secret(id_: UUID, one: bytes, two: bytes) -> None:
    first, second = (secret.mint(KEY_PREFIX, id_, entropy) for entropy in (one, two))
    assert (first.text == second.text) is (one == two)
    assert secret.matches(first.text, second.sha256) is (one == two)
