"""What people may type, and what they may not."""

import string

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from domain import text
from domain.text import (
    LabelInvalidError,
    MailInvalidError,
    ProseInvalidError,
    SlugInvalidError,
    UrlInvalidError,
)

ANYTHING = st.text(st.characters())  # lone surrogates too
SLUG_LETTERS = set(string.ascii_lowercase + string.digits + "-")


@pytest.mark.parametrize("given", ["a", "A name", "Ünïcödé 製品 🐾", "x" * 200, " x ", "\tx\n"])
def test_a_label_is_one_line_without_blanks_around_it(given: str) -> None:
    assert text.label(given, "name") == given.strip()


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ",
        "x" * 201,
        "a\nb",
        "a\tb",
        "a\0",
        "a\x7fb",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "\ud800",
    ],
)
def test_a_label_that_is_empty_long_or_unprintable_is_refused(given: str) -> None:
    with pytest.raises(LabelInvalidError) as refused:
        text.label(given, "name")
    assert refused.value.about == "name"


@given(ANYTHING)
def test_a_label_that_is_taken_is_one_storable_line(given: str) -> None:
    try:
        taken = text.label(given, "name")
    except LabelInvalidError:
        return
    assert taken.encode()
    assert len(taken.splitlines()) == 1
    assert text.label(taken, "name") == taken


@given(ANYTHING)
@example("x" * 20_000)
@example("x" * 20_001)
@example("\ud800")
@example("\0")
def test_prose_is_anything_storable_up_to_its_length(given: str) -> None:
    storable = len(given) <= 20_000 and "\0" not in given
    storable = storable and not any("\ud800" <= char <= "\udfff" for char in given)
    try:
        assert text.prose(given, "description") == given
        assert storable
    except ProseInvalidError:
        assert not storable


@given(st.text("ab9-A_. \n\0", max_size=8) | ANYTHING)
@example("a" * 63)
@example("a" * 64)
@example("a\n")
@example("ä")
@example("٣")
def test_a_slug_is_lower_case_letters_digits_and_hyphens_within(given: str) -> None:
    right = 0 < len(given) <= 63 and set(given) <= SLUG_LETTERS
    right = right and given[0] != "-" and given[-1] != "-"
    try:
        assert text.slug(given, "slug") == given
        assert right
    except SlugInvalidError:
        assert not right


@pytest.mark.parametrize(
    "given",
    [
        "http://localhost",
        "https://pets.example:8443/v1?x=1",
        "http://[::1]:80/",
        "https://10.0.0.1",
        "http://h/" + "x" * 1_991,
    ],
)
def test_an_address_is_an_absolute_http_url(given: str) -> None:
    assert text.url(given, "url") == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "pets.example",
        "//pets.example",
        "/v1",
        "ftp://pets.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http://:80",
        "http://user@pets.example",
        "http://user:word@pets.example",
        "http://:word@pets.example",
        "http://pets.example:99999",
        "http://pets.example:port",
        "http://[::1",
        "http://pets example",
        "http://pets.example/\n",
        "http://pets.example/\0",
        "http://pets.example/\u2028",
        "http://pets.example/\ud800",
        "http://h/" + "x" * 1_992,
    ],
)
def test_what_is_not_the_address_of_a_server_is_refused(given: str) -> None:
    with pytest.raises(UrlInvalidError) as refused:
        text.url(given, "url")
    assert refused.value.about == "url"


@given(ANYTHING | st.text("htps:/.@[]%0 \t\n", max_size=20).map("http://".__add__))
def test_no_text_breaks_the_rule_for_addresses(given: str) -> None:
    try:
        assert text.url(given, "url") == given
    except UrlInvalidError as refused:
        assert refused.about == "url"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada.L@Example.COM", "ada.l@example.com"),
        ("a" * 64 + "@" + "b" * 189, "a" * 64 + "@" + "b" * 189),
    ],
)
def test_two_mail_addresses_are_compared_in_lower_case(given: str, kept: str) -> None:
    assert text.mail(given, "mail") == kept


@pytest.mark.parametrize(
    "given",
    ["", "ada", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n", "a@\0", "a@\ud800", "a" * 65 + "@b"],
)
def test_what_is_not_a_mail_address_is_refused(given: str) -> None:
    with pytest.raises(MailInvalidError) as refused:
        text.mail(given, "mail")
    assert refused.value.about == "mail"
