"""What a script in a real Envoy reads in a request is what graphql-core would run, or nothing."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.gateway.renderers.envoy_plans import BODY_BYTES, DOCUMENT_BYTES
from tests.gateways.graphql_reader import Reader, read_by_graphql_core, reading

UNREAD = "DOCUMENT_UNREAD"
BLANKS = [" ", ",", "\n", "\r\n", "\t", '# } { "\n', '#"""\r', "\ufeff", " , ,", "#é\n"]
NAMES = ["a", "b", "on", "query", "fragment", "_x9", "type", "true", "null"]
VALUES = [
    *('"}{"', r'"\""', r'"\\"', '""', '"# no comment"', r'"\u007B"', '"é"', "-1", "0", "2.5e+3"),
    *('""""""', r'"""}{ \""" """', '"""a\n"b" {"""', r'"""\\""" """', '"""# }\n"""', "true", "$v"),
    *("null", "RED", "[1,[2,[]]]", '{k:"}",q:{r:[{s:")"}]}}', "[]", "{}"),
]
READ = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reading(tmp_path_factory.mktemp("reader")) as found:
        yield found


names, values = st.sampled_from(NAMES), st.sampled_from(VALUES)
nothing: st.SearchStrategy[list[str]] = st.just([])
arguments = st.one_of(
    nothing,
    st.lists(st.tuples(names, values), min_size=1, max_size=2).map(
        lambda given: ["(", *(token for name, value in given for token in (name, ":", value)), ")"]
    ),
)
directives = st.one_of(nothing, st.tuples(names, arguments).map(lambda d: ["@", d[0], *d[1]]))
spread = st.tuples(st.sampled_from(["F0", "F1"]), directives).map(lambda s: ["...", s[0], *s[1]])


def selected(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    """Return selection sets, in which there are others."""
    alias = st.one_of(nothing, names.map(lambda name: [name, ":"]))
    below = st.one_of(nothing, inner)
    field = st.tuples(alias, names.map(lambda name: [name]), arguments, directives, below)
    condition = st.sampled_from([[], ["on", "Query"], ["on", "on"]])
    inline = st.tuples(st.just(["..."]), condition, directives, inner)
    each = st.one_of(field.map(joined), inline.map(joined), spread)
    return st.lists(each, min_size=1, max_size=4).map(lambda found: ["{", *joined(found), "}"])


def joined(parts: Any) -> list[str]:
    return [token for part in parts for token in part]


sets = st.recursive(st.just(["{", "a", "}"]), selected, max_leaves=6)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, str | None]:
    """Return a document, and the name of the operation that runs."""
    kinds = draw(st.lists(st.sampled_from(["query", "mutation", "subscription"]), max_size=3))
    parts = [["fragment", name, "on", "Query", *draw(sets)] for name in ("F0", "F1")]
    for nth, kind in enumerate(kinds):
        variables = draw(st.sampled_from([[], ["(", "$v", ":", "[I!]", "=", '{k:"}"}', ")"]]))
        parts.append([kind, f"O{nth}", *variables, *draw(directives), *draw(sets)])
    if not kinds:
        parts.append(draw(st.sampled_from([[], ["query"]])) + draw(sets))
    tokens = joined(draw(st.permutations(parts)))
    between = draw(st.lists(st.sampled_from(BLANKS), min_size=1, max_size=8))
    document = "".join(f"{token}{between[n % len(between)]}" for n, token in enumerate(tokens))
    return document, draw(st.sampled_from([f"O{n}" for n in range(len(kinds))])) if kinds else None


@READ
@given(documents())
def test_the_fields_of_a_document_are_those_that_graphql_core_runs(
    reader: Reader, given: tuple[str, str | None]
) -> None:
    assert reader.document(*given) == read_by_graphql_core(*given)


@READ
@given(documents(), st.integers(0, 10_000), st.sampled_from([*'{}()[]:@"#\\.!$ \n', "...", '"""']))
def test_a_document_with_a_fault_is_read_as_graphql_core_reads_it_or_not_at_all(
    reader: Reader, given: tuple[str, str | None], at: int, put: str
) -> None:
    document, name = given
    at %= len(document)
    for faulty in (document[:at] + put + document[at:], document[:at] + document[at + 1 :]):
        found = reader.document(faulty, name)
        if found != UNREAD:
            try:
                assert found == read_by_graphql_core(faulty, name)
            except GraphQLError:
                continue  # which a server runs as little


@READ
@given(
    st.dictionaries(
        st.sampled_from(["variables", "extensions", "operationName"]),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
            lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
            max_leaves=8,
        ),
    ),
    st.integers(0, 10_000),
    st.sampled_from([*'{}[]:,"\\ 1', "null", "\\u0022", "\x00"]),
)
def test_a_request_is_read_as_json_reads_it_or_not_at_all(
    reader: Reader, members: dict[str, Any], at: int, put: str
) -> None:
    text = json.dumps({**members, "query": "{a\\u0062 \\u007D"})
    text = text.replace("\\\\u", "\\u")
    at %= len(text)
    for sent in (text, text[:at] + put + text[at:], text[:at] + text[at + 1 :]):
        found = reader.request(sent)
        if found != UNREAD:
            read = json.loads(sent)
            assert found == read_by_graphql_core(read["query"], read.get("operationName") or None)


@pytest.mark.parametrize(
    "document",
    [
        *(
            "",
            "#{a}",
            "{",
            "{a",
            "{}",
            "{a}}",
            "{a{}",
            "{...X}",
            "{...}",
            "{a b:}",
            "{a(x:1}",
            "{a)}",
        ),
        *('{a("x)}', '{a(x:"\n")}', '{a(x:"""\\""")}', '{a(x:"\\q")}', "{a(x:1b:2)}", "{a(x:01)}"),
        *("{a} {b}", "query A{a} query A{b}", "query A{a} {b}", "query A{a} mutation B{b}"),
        *("fragment F on Q{a}", "fragment F on Q{a} fragment F on Q{b} {...F}", "{...on}"),
        *(
            "type A{a:Int} {a}",
            "schema{query:Q}",
            "extend type Q{b:Int} {a}",
            "{a!}",
            "{a?}",
            "[a]",
        ),
        *('"said" query{a}', "fragment F($v:I) on Q{a} {...F}", "fragment on on Q{a} {...on}"),
        *("{é}", "{a\x00}", "{a\x0bb}", "{a\u00a0b}", "{a(x:{y:]})}", "{...{a}", "subscribe{a}"),
        "{" + "...{" * 70 + "a" + "}" * 71,
    ],
)
def test_what_is_not_a_document_with_one_operation_is_not_read(
    reader: Reader, document: str
) -> None:
    assert reader.document(document) == UNREAD


@pytest.mark.parametrize("name", ["B", "a", " A", "A ", "A\x00"])
def test_an_operation_that_is_not_there_is_not_read(reader: Reader, name: str) -> None:
    assert reader.document("query A{a}", name) == UNREAD
    assert reader.document("query A{a}", "") == {"Query.a": 1}
    assert reader.document("query A{a} query B{b}", "") == UNREAD


@pytest.mark.parametrize(
    "body",
    [
        *(
            "",
            " ",
            "null",
            "1",
            '"{a}"',
            "{}",
            '{"query":null}',
            '{"query":["{a}"]}',
            '{"query":1}',
        ),
        *(
            '[{"query":"{a}"}]',
            '{"query":"{a}"}{"query":"{b}"}',
            '{"query":"{a}"}]',
            '{"query":"{a}",}',
        ),
        *('{"query":"{a}","query":"{b}"}', r'{"query":"{a}","\u0071uery":"{b}"}'),
        *('{"query":"{a}","Query":"{b}"}', '{"query":"{a}","id":"1"}', '{"documentId":"1"}'),
        *('{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}}', "{query:'{a}'}"),
        *(
            '{"query":"{a}","extensions":{"persistedQuery":{}}}',
            '{"query":"{a}" /*,"query":"{b}"*/}',
        ),
        *('{"query":"{a}"}//', "{'query':'{a}'}", '\ufeff{"query":"{a}"}', '{"query":"{a\n}"}'),
        *(
            r'{"query":"{a #\ud83d\n b}"}',
            r'{"query":"{a #\udc00}"}',
            '{"query":"{a}","variables":NaN}',
        ),
        *('{"query":"{a}","operationName":1}', '{"query":"{a}","operationName":{}}'),
        *(
            b'{"query":"{a #\xc0\x8a b}"}',
            b'{"query":"{a}","variables":"\xe2\x22}',
            b"\x1f\x8b\x08",
        ),
        *('{"query":"{a}"}'.encode(each) for each in ("utf-16", "utf-16-be", "utf-32-le")),
        '{"query":"{a}","variables":' + "[" * 70 + "]" * 70 + "}",
    ],
)
def test_what_two_readers_could_take_for_two_requests_is_not_read(
    reader: Reader, body: str | bytes
) -> None:
    assert reader.request(body) == UNREAD


def test_a_request_is_read_by_its_own_query_alone(reader: Reader) -> None:
    one = '{"variables":{"query":"{b}","extensions":{"persistedQuery":1}},"query":"{a}"}'

    assert reader.request(one) == {"Query.a": 1}
    assert reader.request(r'{"qu\u0065ry":"{ \u0061 #\ud83d\ude00\n }"}') == {"Query.a": 1}
    assert reader.request(' {"query" : "{a}", "extensions": {}, "variables": null}\n') == {
        "Query.a": 1
    }


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({"content_type": "application/graphql"}, "NOT_JSON"),
        ({"content_type": "text/plain"}, "NOT_JSON"),
        ({"content_type": ""}, "NOT_JSON"),
        ({"content_type": "application/x-www-form-urlencoded"}, "NOT_JSON"),
        ({"content_type": "multipart/form-data; boundary=x"}, "NOT_JSON"),
        ({"content_type": "application/json; charset=utf-16"}, "NOT_JSON"),
        ({"content_type": "application/json; charset=utf-8; charset=utf-7"}, "NOT_JSON"),
        ({"content_type": "application/json, text/plain"}, "NOT_JSON"),
        ({"content_encoding": "gzip"}, "NOT_JSON"),
        ({"content_type": 'Application/JSON; charset="UTF-8"'}, {"Query.a": 1}),
        ({"path": "/?query={b}"}, UNREAD),
        ({"path": "/?"}, UNREAD),
    ],
)
def test_only_json_in_the_body_is_read(
    reader: Reader, headers: dict[str, str], problem: object
) -> None:
    assert reader.request('{"query":"{a}"}', **headers) == problem


def test_what_is_too_large_is_not_read(reader: Reader) -> None:
    fits = "{" + "a" * (DOCUMENT_BYTES - 2) + "}"
    assert reader.document(fits) == {f"Query.{fits[1:-1]}": 1}
    assert reader.document(fits + " ") == UNREAD

    body = '{"query":"{a}"}'.ljust(BODY_BYTES)
    assert reader.request(body) == {"Query.a": 1}
    assert reader.request(body + " ") == "TOO_LARGE"
