"""The backend of one version in HAProxy: its routes, whose calls it takes, how many, and where to.

One stick table for each plan, and for each operation of it with limits of its own, and for each
two limits of these, keyed by the subscription, for a keyless plan by the address. HAProxy knows
one algorithm: the calls of its current period and, of those of the period before, the part that
the window still covers. Refused calls do not count. At most `limit_calls + burst_calls` pass in
each period, so at most twice as many in any window; docs/gateways.md compares.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from controlplane.gateway.renderers import (
    APPLICATION_HEADER,
    PARAMETER,
    PLAN_HEADER,
    SUBSCRIPTION_HEADER,
    Site,
    graphql_fields,
    limited_fields,
    problems,
    specificity,
)
from controlplane.gateway.renderers.problems import (
    CHALLENGE,
    CONTENT_TYPE,
    KEY_INVALID,
    KEY_MISSING,
    Problem,
)
from domain.routing import PLAN, VERSION, Body, Document
from domain.unserved import Unserved, keyless

WINDOW_S_MAX = 12 * 24 * 3_600
"""HAProxy keeps times in 31 bits of milliseconds, and a table keeps two windows."""
THRESHOLD_MAX = 2**31 - 1
TABLE_ENTRIES = 2**20
_HOST = re.compile(r"[0-9A-Za-z]([0-9A-Za-z._-]{0,252})|[0-9a-fA-F:.]{2,45}", re.ASCII)
_PATH = "/-._~!$&()*+,;=:@%"
_URL = _PATH + "?#[]"


def answer(problem: Problem) -> str:
    """Return status and content of an answer in place of the API's."""
    return f"status {problem.status} content-type {CONTENT_TYPE} string '{problem.body}'"


@dataclass
class Backend:
    """What haproxy.cfg and its maps say of a version."""

    id: str
    base: str
    text: str = ""
    routes: str = ""
    tables: dict[str, str] = field(default_factory=dict)

    @property
    def routes_file(self) -> str:
        """Return the name of the map of routes."""
        return f"routes-{self.id}.map"

    @classmethod
    def of(
        cls, version: Body, snapshot: Document, site: Site, unserved: list[Unserved]
    ) -> "Backend":
        """Return that of a version whose product is there; what it refuses it appends."""
        product = next(row for row in snapshot["products"] if row["id"] == version["product"])
        made = cls(version["id"], f"/{product['slug']}/{version['base']}")
        made.routes = "".join(_routes(made.base, version["routes"]))
        plans = list(_granted(snapshot, version, unserved))
        lines = [
            "http-request set-var(txn.route)"
            f" method,concat(:,txn.path),map_reg({made.routes_file})",
            "acl is_route var(txn.route) -m found",
            f"http-request return {answer(problems.NO_OPERATION)} if !is_route",
            *_caller(plans),
            *_quota(plans),
            *(line for nth, plan in enumerate(plans) for line in made._limits(nth, plan, product)),
            *_told(plans),
            *_deprecation(version, product, snapshot),
            *_upstream(made.base, version, snapshot["group"]["environment"], site, unserved),
        ]
        title = f"\n# {product['slug']} {version['base']}\nbackend version-{made.id}\n"
        made.text = title + "".join(f"    {line}\n" for line in lines)
        return made

    def _limits(self, nth: int, plan: Body, product: Body) -> Iterator[str]:
        """Yield the counting of one plan, and of its operations that are counted for themselves."""
        own = [
            each
            for each in plan["overrides"]
            if each["product"] == product["id"] and each["rate_limit"]
        ]
        yield f"acl plan-{nth} var(txn.plan) -m str {plan['id']}"
        limits = [each for each in (plan["rate_limit"], *plan["more_rate_limits"]) if each]
        condition = f"plan-{nth}"
        if own:
            routes = " ".join(each["route"] for each in own)
            yield f"acl has-own-{nth} var(txn.route) -m str {routes}"
            condition += f" !has-own-{nth}"
        yield from self._counted(f"limit-{plan['id']}", plan, limits, condition)
        for other, each in enumerate(own):
            yield f"acl own-{nth}-{other} var(txn.route) -m str {each['route']}"
            name = f"limit-{plan['id']}-{product['id']}-{each['route']}"
            condition = f"plan-{nth} own-{nth}-{other}"
            yield from self._counted(name, plan, [each["rate_limit"]], condition)

    def _counted(
        self, name: str, plan: Body, limits: list[dict[str, Any]], condition: str
    ) -> Iterator[str]:
        """Yield the rules of limits that hold together; a table has room for two."""
        by_address = plan["auth"]["kind"] == "KEYLESS"
        for table in range(0, len(limits), 2):
            pair = limits[table : table + 2]
            rates = ",".join(f"gpc{nth}_rate({each['window_s']}s)" for nth, each in enumerate(pair))
            self.tables[f"{name}-{table // 2}"] = (
                f"stick-table type {'ipv6' if by_address else 'string len 36'} size {TABLE_ENTRIES}"
                f" expire {2 * max(each['window_s'] for each in pair)}s store {rates} peers edge"
            )
            key = "src" if by_address else "var(txn.subscription)"
            yield (
                f"http-request track-sc{table // 2} {key} table {name}-{table // 2} if {condition}"
            )
        for nth, each in enumerate(limits):
            window_s, calls = each["window_s"], each["limit_calls"]
            yield (
                f"http-request return {answer(problems.RATE_LIMITED)}"
                f" hdr Retry-After {window_s}"
                f""" hdr RateLimit-Policy '"plan";q={calls};w={window_s}'"""
                f""" hdr RateLimit '"plan";r=0;t={window_s}'"""
                f" if {condition} {{ sc_gpc{nth % 2}_rate({nth // 2}) ge {_threshold(each)} }}"
            )
        for nth in range(len(limits)):
            yield f"http-request sc-inc-gpc{nth % 2}({nth // 2}) if {condition}"
        for each in limits[:1]:
            yield f"http-request set-var(txn.rate) sc_gpc0_rate(0) if {condition}"
            yield (
                f"http-request set-var(txn.left) int({_threshold(each)}),sub(txn.rate)"
                f" if {condition}"
            )
            yield f"http-request set-var(txn.limit) int({each['limit_calls']}) if {condition}"
            yield f"http-request set-var(txn.window) int({each['window_s']}) if {condition}"


def _threshold(limit: dict[str, Any]) -> int:
    calls: int = limit["limit_calls"] + limit["burst_calls"]
    return min(calls, THRESHOLD_MAX)


def _routes(base: str, routes: list[dict[str, str]]) -> Iterator[str]:
    """Yield the lines of a map of regular expressions, where the first that matches counts."""
    for route in sorted(routes, key=_specific_first):
        literals = [re.escape(quote(each, safe=_PATH)) for each in PARAMETER.split(route["path"])]
        path = "/?" if route["path"] == "/" else "[^/]+".join(literals)
        yield f"^{route['method']}:{re.escape(base)}{path}$ {route['id']}\n"


def _specific_first(route: dict[str, str]) -> tuple[Any, str, str]:
    return specificity(route["path"]), route["path"], route["method"]


def _granted(snapshot: Document, version: Body, unserved: list[Unserved]) -> Iterator[Body]:
    """Yield the plans whose calls are taken."""
    chosen = keyless(snapshot["plans"]).get(version["product"])
    fields = graphql_fields(version, snapshot["versions"])
    for plan in snapshot["plans"]:
        if version["product"] not in plan["products"] or plan["auth"]["kind"] == "JWT":
            continue
        refused = [Unserved(PLAN, plan["id"], reason) for reason in _beyond(plan, version, fields)]
        unserved.extend(each for each in refused if each not in unserved)
        if not refused and (plan["auth"]["kind"] != "KEYLESS" or plan["id"] == chosen):
            yield plan


def _beyond(plan: Body, version: Body, fields: set[str]) -> Iterator[str]:
    """Yield which limits of a plan, of calls of a version, HAProxy cannot hold."""
    limits = [plan["rate_limit"], *plan["more_rate_limits"]]
    limits += [each["rate_limit"] for each in plan["overrides"]]
    if any(limit and limit["window_s"] > WINDOW_S_MAX for limit in limits):
        yield "It has a rate limit over more than 12 days."
    for _, each in limited_fields(plan, version["product"], fields)[:1]:
        yield f"It limits {each['operation']}, and this renderer reads no GraphQL."


def _caller(plans: list[Body]) -> Iterator[str]:
    """Yield the rules that let in whose calls are taken."""
    yield "acl is_known var(txn.plan) -m found"
    yield "acl has_key var(txn.hash) -m found"
    for plan in (plan for plan in plans if plan["auth"]["kind"] == "KEYLESS"):
        yield f"http-request set-var(txn.plan) str({plan['id']}) if !has_key"
    for each, condition in ((KEY_MISSING, "!is_known !has_key"), (KEY_INVALID, "!is_known")):
        yield (
            f"http-request return {answer(each)} hdr WWW-Authenticate '{CHALLENGE}' if {condition}"
        )
    granted = " ".join(plan["id"] for plan in plans)
    yield f"acl is_granted {f'var(txn.plan) -m str {granted}' if granted else 'always_false'}"
    yield f"http-request return {answer(problems.NOT_INCLUDED)} if !is_granted"


def _quota(plans: list[Body]) -> Iterator[str]:
    """Yield the refusal of calls whose quota, as the control plane says, is used up."""
    hard = [plan for plan in plans if plan["quota"] and plan["quota"]["enforcement"] == "HARD"]
    if not hard:
        return
    yield f"acl is_hard var(txn.plan) -m str {' '.join(plan['id'] for plan in hard)}"
    yield "acl is_used_up var(txn.key),field(5,.),sub(txn.now) gt 0"
    yield (
        f"http-request return {answer(problems.OVER_QUOTA)}"
        " hdr Retry-After %[var(txn.key),field(5,.),sub(txn.now),div(1000),add(1)]"
        " if is_hard is_used_up"
    )


def _told(plans: list[Body]) -> Iterator[str]:
    """Yield what the upstream is told of the caller."""
    if plans:
        yield f"http-request set-header {PLAN_HEADER} %[var(txn.plan)]"
        subscribed = "if { var(txn.subscription) -m found }"
        for name, variable in (
            (SUBSCRIPTION_HEADER, "subscription"),
            (APPLICATION_HEADER, "application"),
        ):
            yield f"http-request set-header {name} %[var(txn.{variable})] {subscribed}"


def _deprecation(version: Body, product: Body, snapshot: Document) -> Iterator[str]:
    """Yield the headers of RFC 9745 and RFC 8594; those of the version go first."""
    row = version if version["deprecation"] else product
    if row["deprecation"] is None:
        return
    since = int(datetime.fromisoformat(row["deprecation"]).timestamp())
    yield f"http-response set-header Deprecation @{since}"
    if ends := version["sunset"] or product["sunset"]:
        sunset = format_datetime(datetime.fromisoformat(ends), usegmt=True)
        yield f"http-response set-header Sunset '{sunset}'"
    if row.get("link"):
        link = _format(row["link"], _URL)
        yield f"""http-response add-header Link '<{link}>; rel="deprecation"'"""
    for other in snapshot["versions"]:
        if other["id"] == row.get("successor") and other["product"] == product["id"]:
            base = f"/{product['slug']}/{other['base']}"
            yield f"""http-response add-header Link '<{base}>; rel="successor-version"'"""


def _upstream(
    base: str, version: Body, environment: str, site: Site, unserved: list[Unserved]
) -> Iterator[str]:
    """Yield where the calls go; to nowhere if the address is not one."""
    try:
        url = urlsplit(version["upstreams"][environment])
        host, port = url.hostname or "", url.port or {"http": 80, "https": 443}[url.scheme]
    except (ValueError, KeyError):
        host = ""
    if not _HOST.fullmatch(host):
        unserved.append(Unserved(VERSION, version["id"], "Its upstream has no HTTP address."))
        yield f"http-request return {answer(problems.UNAVAILABLE)}"
        return
    prefix = _format(url.path.rstrip("/"), _PATH)
    if version["kind"] == "GRAPHQL":
        yield f"http-request set-path '{prefix or '/'}'"
    else:
        yield f"http-request replace-path '^{re.escape(base)}/?(.*)$' '{prefix}/\\1'"
    name = f"[{host}]" if ":" in host else host
    yield f"http-request set-header Host {name}{f':{url.port}' if url.port else ''}"
    server = f"server upstream {name}:{port}"
    if url.scheme == "https":
        server += f" ssl verify required ca-file {site.ca_file} sni str({host})"
    if not re.fullmatch(r"[0-9.]+|.*:.*", host):
        server += " init-addr last,libc,none resolvers default"
    yield server


def _format(text: str, safe: str) -> str:
    """Return a part of an address for a format of HAProxy's within single quotes."""
    return quote(text, safe=safe).replace("%", "%%")
