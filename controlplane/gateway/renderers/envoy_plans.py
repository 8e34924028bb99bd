"""What plans allow: their products, their limits as token buckets, whose tokens they accept."""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, TypeAlias

from controlplane.gateway.renderers import (
    RenderedInvalidError,
    Site,
    graphql_fields,
    limited_fields,
    problems,
)
from controlplane.gateway.renderers.envoy_keys import Provider, script
from controlplane.gateway.renderers.envoy_resource import Message, lua_filter, typed
from domain.plan_terms import AuthKind
from domain.routing import Body
from domain.unserved import Unserved, keyless

PLANS, LIMITS, TOKENS = "plans", "limits", "tokens"
BUCKETS = 100_000
"""Of one limit: beyond so many callers, who was not seen for longest begins with a full bucket."""
CALLS_MAX = 2**32 - 1
FILL_S_MIN = 0.05
FIELDS = 10
"""So many limited fields of a GraphQL API one call may ask for; every call is asked for each."""
BODY_BYTES, DOCUMENT_BYTES = 128 * 1024, 32 * 1024
"""What is read of a call that may ask for such fields: 13 ms of a worker at the worst."""
LEEWAY_S = 30
_ID = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
_FIELD = re.compile(r"(Query|Mutation|Subscription)\.[_A-Za-z][_0-9A-Za-z]*", re.ASCII)
Fields: TypeAlias = Mapping[str, Mapping[str, list[tuple[int, Body]]]]
"""Which overrides limit fields, with their place among all, by the plan and by the API."""
ALWAYS = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


_PROBLEMS = "".join(
    f"{name}={{status='{each.status}',body='{each.body}'}},\n"
    for name in (
        "DOCUMENT_UNREAD",
        "FIELDS_MANY",
        "KEY_MISSING",
        "KEY_INVALID",
        "NOT_INCLUDED",
        "NOT_JSON",
        "OVER_QUOTA",
        "TOO_LARGE",
        "UNDECIDED",
    )
    for each in (getattr(problems, name),)
)


def plans_filter(plans: Mapping[str, Body], fields: Fields, apis: Mapping[str, str]) -> Message:
    """Return the filter that decides; `apis` says of which API a version is."""
    # Each in a function of its own: one has at most 65,536 constants.
    known = "".join(
        f"[{_text(id_)}]=(function() return {_plan(row, fields[id_])} end)(),\n"
        for id_, row in sorted(plans.items())
    )
    limited = set().union(*fields.values())
    read = "".join(f"[{_text(id_)}]={_text(api)}," for id_, api in apis.items() if api in limited)
    open_to_all = "".join(
        f"[{_text(product)}]={_text(plan)},\n"
        for product, plan in sorted(keyless(plans.values()).items())
    )
    tables = f"local PLANS = {{\n{known}}}\nlocal KEYLESS = {{\n{open_to_all}}}\n"
    tables += f"local APIS = {{{read}}}\n"
    tables += f'local NO_LIMIT = "{CALLS_MAX}"\n'
    tables += f"local CHALLENGE = '{problems.CHALLENGE}'\nlocal PROBLEMS = {{\n{_PROBLEMS}}}\n"
    if any(fields.values()):
        tables += (
            f"local FIELDS, BODY_BYTES, DOCUMENT_BYTES = {FIELDS}, {BODY_BYTES}, {DOCUMENT_BYTES}\n"
        )
        tables += script("fields")
    return lua_filter(PLANS, tables + script("decide"))


def _plan(row: Body, fields: Mapping[str, list[tuple[int, Body]]]) -> str:
    products = "".join(f"[{_text(product)}]=true," for product in row["products"])
    overrides = "".join(
        f"[{_text(each['product'])}..' '..{_text(each['route'])}]={_text(_own(row, nth))},"
        for nth, each in enumerate(row["overrides"])
        if each["rate_limit"]
    )
    limits = _text(row["id"]) if row["rate_limit"] else "nil"
    limited = "".join(
        f"[{_text(api)}]={{{''.join(_field(row, *each) for each in found)}}},"
        for api, found in fields.items()
    )
    own = f"overrides={{{overrides}}},fields={{{limited}}}"
    return f"{{products={{{products}}},limits={limits},{own}}}"


def _field(row: Body, nth: int, override: Body) -> str:
    """Return the limits of a field, and how many calls there are at most at once."""
    if not _FIELD.fullmatch(override["operation"]):
        raise RenderedInvalidError("A field of a GraphQL API has another name.")
    most = bucket(override["rate_limit"])["max_tokens"]
    return f'["{override["operation"]}"]={{limits={_text(_own(row, nth))},most={most}}},'


def _own(row: Body, nth: int) -> str:
    """Name the limits that an operation has in place of the plan's."""
    return f"{row['id']}-{nth}"


def _text(id_: str) -> str:
    """Return an id as a text of a script, in which it can end nothing."""
    if not _ID.fullmatch(id_):
        raise RenderedInvalidError("An id holds letters, digits and hyphens only.")
    return f'"{id_}"'


def apis_of(versions: Mapping[str, Body]) -> dict[str, str]:
    """Return of which GraphQL API a version is: its API goes by the id of one of its versions."""
    found: dict[tuple[str, str], str] = {}
    return {
        id_: found.setdefault((row["product"], row["api"]), id_)
        for id_, row in sorted(versions.items())
        if row["kind"] == "GRAPHQL"
    }


def fields_limited(
    plans: Mapping[str, Body], versions: Mapping[str, Body], apis: Mapping[str, str]
) -> Fields:
    """Return the limits of fields of GraphQL APIs, whose calls have to be read."""
    fields = {
        api: (versions[api]["product"], graphql_fields(versions[api], versions.values()))
        for api in sorted(set(apis.values()))
    }
    return {
        id_: {api: found for api, each in fields.items() if (found := limited_fields(plan, *each))}
        for id_, plan in plans.items()
    }


def limits_filter(plans: Mapping[str, Body], fields: Fields) -> Message:
    """Return the filter that counts: a bucket for each caller and each limit that holds for it.

    A caller may have all the calls of a window at once and earns them back evenly: in no window
    are there more than twice the limit and the burst.
    """
    counted = list(chain.from_iterable(_counted(plans[id_]) for id_ in sorted(plans)))
    most = max((len(limits) for _, limits in counted), default=0)
    at_once = max((len(each) for by in fields.values() for each in by.values()), default=0)
    return {
        "name": LIMITS,
        "typed_config": typed(
            "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            # Of no effect, since every limit is enforced.
            request_headers_to_add_when_not_enforced=[{"header": {"key": "nonce"}}],
            stat_prefix="limits",
            filter_enabled=ALWAYS,
            filter_enforced=ALWAYS,
            enable_x_ratelimit_headers="DRAFT_VERSION_03",
            # What no limit counts is not counted.
            token_bucket={
                "max_tokens": CALLS_MAX,
                "tokens_per_fill": CALLS_MAX,
                "fill_interval": "1s",
            },
            always_consume_default_token_bucket=False,
            max_dynamic_descriptors=BUCKETS,
            descriptors=[
                {
                    "entries": [
                        {"key": "nth", "value": str(nth)},
                        {"key": "limits", "value": name},
                        {"key": "caller"},
                    ],
                    "token_bucket": bucket(limit),
                }
                for name, limits in counted
                for nth, limit in enumerate(limits)
            ],
            rate_limits=[
                *({"actions": _actions(nth)} for nth in range(most)),
                *map(_field_actions, range(1, min(at_once, FIELDS) + 1)),
            ],
        ),
    }


def _counted(row: Body) -> Iterator[tuple[str, list[Body]]]:
    if row["rate_limit"]:
        yield row["id"], [row["rate_limit"], *row["more_rate_limits"]]
    for nth, each in enumerate(row["overrides"]):
        if each["rate_limit"]:
            yield _own(row, nth), [each["rate_limit"]]


def _actions(nth: int) -> list[Message]:
    return [_nth(nth), _said("limits"), _said("caller")]


def _nth(nth: int) -> Message:
    return {"generic_key": {"descriptor_key": "nth", "descriptor_value": str(nth)}}


def _said(key: str) -> Message:
    return {"request_headers": {"header_name": f"x-gate-{key}", "descriptor_key": key}}


def _field_actions(nth: int) -> Message:
    """Return how one of the limited fields of a call is counted: as often as it is asked for."""
    limits = {
        "descriptor_key": "limits",
        "metadata_key": {"key": "gate", "path": [{"key": f"limits-{nth}"}]},
        "source": "DYNAMIC",
    }
    return {
        "actions": [_nth(0), {"metadata": limits}, _said("caller")],
        "hits_addend": {"format": f"%DYNAMIC_METADATA(gate:calls-{nth})%"},
    }


def bucket(limit: Body) -> Message:
    """Return a limit as the bucket that Envoy fills evenly."""
    calls, window_s = limit["limit_calls"], float(limit["window_s"])
    while calls > CALLS_MAX and window_s / 2 >= FILL_S_MIN:
        calls, window_s = calls // 2, window_s / 2
    return {
        "max_tokens": min(limit["limit_calls"] + limit["burst_calls"], CALLS_MAX),
        "tokens_per_fill": min(calls, CALLS_MAX),
        "fill_interval": f"{window_s:.9f}".rstrip("0").rstrip(".") + "s",
    }


def tokens_filter(plans: Mapping[str, Body], site: Site) -> tuple[Message, list[Unserved]]:
    """Return the filter that verifies tokens, and the plans whose issuer's keys are not known.

    It refuses nobody: what it could not verify is as if it was not shown.
    """
    found: dict[Provider, Any] = {}
    unserved = []
    for id_, row in sorted(plans.items()):
        if row["auth"]["kind"] != AuthKind.JWT.value:
            continue
        provider = Provider.of(row)
        if provider.issuer in site.key_sets:
            found[provider] = _provider(provider, site.key_sets[provider.issuer])
        else:
            unserved.append(Unserved("plan", id_, "No key set of its issuer is known here."))
    named = {each["payload_in_metadata"]: each for each in found.values()}
    each_one = [{"provider_name": name} for name in sorted(named)]
    any_of = {"requires_any": {"requirements": [*each_one, {"allow_missing_or_failed": {}}]}}
    config = typed(
        "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        requirement_map={"nonce": {"allow_missing": {}}},  # which no rule asks for
        providers=named,
        rules=[{"match": {"prefix": "/"}, "requires": any_of}] if named else [],
    )
    return {"name": TOKENS, "typed_config": config}, unserved


def _provider(provider: Provider, key_set: str) -> Message:
    return {
        "issuer": provider.issuer,
        "audiences": [provider.audience],
        "local_jwks": {"inline_string": key_set},
        "payload_in_metadata": f"{provider.id} {provider.claim}",
        "require_expiration": True,
        "clock_skew_seconds": LEEWAY_S,
    }
