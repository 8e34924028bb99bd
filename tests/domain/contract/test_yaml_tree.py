import re
from itertools import pairwise

import pytest

from domain.contract.document import (
    NESTING,
    DocumentBrokenError,
    DocumentTooComplexError,
    Tree,
)
from domain.contract.yaml_tree import read_yaml


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("on", "on"),
        ("2026-01-01", "2026-01-01"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("true", True),
        ("False", False),
        ("", None),
        ("~", None),
        ("12", 12),
        ("-7", -7),
        ("010", 10),
        ("1.50", 1.5),
        ("2e3", 2000.0),
        ("12345678901234567890", 12345678901234567890.0),
        ("9" * 400, "9" * 400),
        (".inf", ".inf"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ('!!int "12"', 12),
        ("!!timestamp 2026-01-01", "2026-01-01"),
        ("!!map {}", {}),
        ("!!seq []", []),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        ("1.2.3", "1.2.3"),
        ("[1, {b: c}]", [1, {"b": "c"}]),
    ],
)
def test_values_are_those_of_yaml_1_2(written: str, meant: Tree) -> None:
    assert read_yaml(f"a: {written}".encode()) == {"a": meant}


def test_keys_are_text_as_written() -> None:
    tree = read_yaml(b"200: a\n2026-01-01: b\non: c\n1.10: d\nnull: e\n? f\n: 1\n'': g\n")
    assert tree == {
        "200": "a",
        "2026-01-01": "b",
        "on": "c",
        "1.10": "d",
        "null": "e",
        "f": 1,
        "": "g",
    }


def test_an_unquoted_version_number_is_text_as_written() -> None:
    tree = read_yaml(b"openapi: 3.10\ninfo: {version: 1.10}\nx: {version: 1.10}\n")
    assert tree == {"openapi": "3.10", "info": {"version": "1.10"}, "x": {"version": 1.1}}


def test_aliases_stand_for_what_was_anchored_before_them() -> None:
    tree = read_yaml(b"a: &x {k: &k key}\nb: [*x, &x 1, *x]\nc: *x\n*k : *k\n")
    assert tree == {"a": {"k": "key"}, "b": [{"k": "key"}, 1, 1], "c": 1, "key": "key"}


def test_an_anchor_inside_one_of_the_same_name_is_the_later_one() -> None:
    assert read_yaml(b"[&a [&a 1, *a], *a]") == [[1, 1], 1]


def test_merge_keys_add_what_a_mapping_does_not_say_itself() -> None:
    tree = read_yaml(
        b"x: &x {a: 1, b: 1, c: 1}\ny: &y {b: 2, d: 2}\n"
        b"one: {<<: *x, a: 0}\nboth: {<<: [*y, *x]}\ntwice: {<<: *y, <<: *x}\nquoted: {'<<': 1}\n"
    )
    assert isinstance(tree, dict)
    assert tree["one"] == {"a": 0, "b": 1, "c": 1}
    assert tree["both"] == {"a": 1, "b": 2, "c": 1, "d": 2}
    assert tree["twice"] == tree["both"]
    assert tree["quoted"] == {"<<": 1}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"a: 1\nb: 2\na: 3", 'Line 3, column 1, read as YAML: the key "a" occurs twice'),
        (b"a: *x", "Line 1, column 4, read as YAML: the alias *x has no anchor before it"),
        (b"a: !include b.yaml", "the tag !include means nothing in OpenAPI"),
        (b"a: !!binary aGk=", "means nothing"),
        (b"a: !!set {b}", "means nothing"),
        (b"? [a]\n: b", "a key is a list or a mapping; it must be text"),
        (b"? {a: b}\n: b", "a key is a list or a mapping; it must be text"),
        (b"a: &a 1\n*a : b", "Line 2, column 1, read as YAML: the alias *a is a key but not text"),
        (b"a: {<<: 1}", "<< merges a mapping"),
        (b"a: {<<: [{}, 1]}", "<< merges a mapping"),
        ("ä: é\nb: ö\x7f".encode(), "Line 2, column 5, read as YAML: control characters"),
        (b'a: "\\ud800"', "Line 1, column 7, read as YAML"),
        (b"%YAML 3.0\n---\na: 1", "Line 1, column 1, read as YAML"),
    ],
)
def test_what_json_could_not_say_is_refused_with_the_place(document: bytes, problem: str) -> None:
    with pytest.raises(DocumentBrokenError, match=re.escape(problem)):
        read_yaml(document)


def _doubling(first: str, then: str, times: int) -> bytes:
    lines = [first, *(then.format(was=was, now=now) for was, now in pairwise(range(times)))]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(_doubling("a: &a0 [x]", "a{now}: &a{now} [*a{was}, *a{was}]", 60), id="lists"),
        pytest.param(
            _doubling("a: &a0 {k: x}", "a{now}: &a{now} {{p: *a{was}, q: *a{was}}}", 60), id="maps"
        ),
        pytest.param(b"a: &a '" + b"x" * 1_000_000 + b"'\nb: [" + b"*a," * 1_000 + b"]", id="text"),
        pytest.param(
            b"a: &a {"
            + b",".join(b"k%d" % n for n in range(999))
            + b"}\nb:\n"
            + b"- <<: *a\n" * 2_000,
            id="merges",
        ),
        pytest.param(_doubling("a: &a0 []", "a{now}: &a{now} [*a{was}]", NESTING), id="depth"),
        pytest.param(b"a: &a [*a]", id="itself"),
        pytest.param(b"a: &a {<<: *a}", id="merging itself"),
        pytest.param(b"".join(b"%%TAG !%d! x\n" % n for n in range(100_000)), id="directives"),
    ],
)
def test_a_bomb_is_refused_before_it_goes_off(bomb: bytes) -> None:
    with pytest.raises(DocumentTooComplexError, match=r"Line \d+, column \d+|%TAG"):
        read_yaml(bomb)
