"""HAProxy 2.6 and later: haproxy.cfg, and maps of addresses, routes and keys.

Keys are looked up by their hash, without scripting: first in recent.map, which the agent keeps
short and changes in the running process too, then in keys.map. A change of keys costs what
changed; anything else is a new haproxy.cfg, which is loaded without dropping a connection.

The frontend finds out who calls and for which version, and the backend of the version does the
rest (haproxy_version.py).
"""

import subprocess
import tempfile
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from controlplane.gateway.renderers import (
    IDENTITY_HEADERS,
    KEY_HEADER,
    Memo,
    Rendered,
    RenderedInvalidError,
    Site,
    alike,
    precedence,
)
from controlplane.gateway.renderers.haproxy_version import Backend, answer
from controlplane.gateway.renderers.problems import BY_THEMSELVES, MALFORMED, NO_OPERATION
from domain.routing import PLAN, SUBSCRIPTION, VERSION, Body, Document
from domain.unserved import Unserved, unserved

VENDOR = "haproxy"
START = "haproxy -W -S {directory}/master.sock -f {directory}/haproxy.cfg"
CONFIG, KEYS, RECENT, VERSIONS = "haproxy.cfg", "keys.map", "recent.map", "versions.map"
GONE = "-"
"""What recent.map says of a key that keys.map still has."""
CHECK_S = 60
DIGEST_DIGITS = 32
_NEVER_MS = 10**15

_GLOBAL = """\
global
    # The agent looks here for what is loaded.
    description {digest}
    default-path config
    expose-experimental-directives
    localpeer edge
    stats socket {directory}/haproxy.sock mode 600 level admin
    hard-stop-after 30s

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s

# A process that is replaced hands its counters on, if it was handed them or is up for 10 s.
peers edge
    peer edge unix@{directory}/peers.sock
"""
# An upstream might take it for another path: "." and "..", and slashes that are hidden.
_TWISTED = r"%2f|%5c|\\|/\.{1,2}([/;]|$)"
_DROPPED = "\n".join(
    f"    http-request del-header ^{alike(name)}$ -m reg" for name in IDENTITY_HEADERS
)
_ERRORS = "\n".join(f"    http-error {answer(each)}" for each in BY_THEMSELVES)
_FRONTEND = f"""
frontend edge
    bind @listen
{_ERRORS}
    acl is_found var(txn.key) -m found
    acl is_valid var(txn.key),field(4,.),sub(txn.now) gt 0
    acl is_version var(txn.version) -m found
    acl is_twisted path -i -m reg '{_TWISTED}'
    acl is_limited var(txn.limit) -m found
    # What need not be escaped is not, or one operation would have many names.
    http-request normalize-uri percent-decode-unreserved strict
    http-request return {answer(MALFORMED)} if is_twisted
    # Who calls is told by us alone.
{_DROPPED}
    http-request set-var(txn.now) date(0,ms)
    http-request set-var(txn.hash) req.fhdr({KEY_HEADER}),sha2(256),hex,lower
    http-request set-var(txn.key) var(txn.hash),map_str({RECENT})
    http-request set-var(txn.key) var(txn.hash),map_str({KEYS}) if !is_found
    # A key that was imported by its SHA-1.
    http-request set-var(txn.sha1) req.fhdr({KEY_HEADER}),sha1,base64 if !is_found
    http-request set-var(txn.key) var(txn.sha1),map_str({RECENT}) if !is_found
    http-request set-var(txn.key) var(txn.sha1),map_str({KEYS}) if !is_found
    http-request del-header {KEY_HEADER}
    http-request set-var(txn.subscription) var(txn.key),field(1,.)
    http-request set-var(txn.plan) var(txn.key),field(2,.)
    http-request set-var(txn.application) var(txn.key),field(3,.)
    http-request unset-var(txn.plan) if !is_valid
    http-request set-var(txn.path) path
    http-request set-var(txn.version) str(),concat(,txn.path,/),map_beg({VERSIONS})
    http-request return {answer(NO_OPERATION)} if !is_version
    http-response set-header RateLimit-Policy '"plan";q=%[var(txn.limit)];w=%[var(txn.window)]' \
if is_limited
    http-response set-header RateLimit '"plan";r=%[var(txn.left)];t=%[var(txn.window)]' \
if is_limited
    use_backend version-%[var(txn.version)]
"""


def render(snapshot: Document, site: Site, memo: Memo) -> Rendered:
    """Return haproxy.cfg and its maps; recent.map is empty, for keys.map has everything."""
    memo.begin()
    told = list(_unserved(snapshot))
    backends = [Backend.of(version, snapshot, site, told) for version in _served(snapshot, told)]
    subscribed = [memo.of("keys", _lines, row) for row in snapshot["subscriptions"]]
    told += [each for _, keys in subscribed for each in keys]
    files = {
        KEYS: b"".join(lines for lines, _ in subscribed),
        RECENT: b"",
        VERSIONS: "".join(f"{each.base}/ {each.id}\n" for each in backends).encode(),
        **{each.routes_file: each.routes.encode() for each in backends},
    }
    tables = {name: table for each in backends for name, table in each.tables.items()}
    text = "".join(
        [
            _frontend(site),
            *(f"\nbackend {name}\n    {table}\n" for name, table in sorted(tables.items())),
            *(each.text for each in backends),
        ]
    )
    return Rendered({**files, CONFIG: _config(text, files, site)}, tuple(told))


def entries(subscription: Body) -> dict[str, str]:
    """Return for each key's hash who it is: subscription, plan, application, and two instants.

    The key is valid until the first, and the calls of the second are used up until then.
    """
    over_quota_ms = _ms(subscription.get("over_quota_until"), 0)
    found: dict[str, str] = {}
    for key in subscription["keys"]:
        until = min(_ms(key["not_after"], _NEVER_MS), _ms(subscription["not_after"], _NEVER_MS))
        who = f"{subscription['id']}.{subscription['plan']}.{subscription['application']}"
        if digest := key["sha256"] or key["sha1"]:
            found[digest] = f"{who}.{until}.{over_quota_ms}"
    return found


def bootstrap(site: Site) -> dict[str, bytes]:
    """Return what HAProxy starts with and answers 404 by, until the agent knows more."""
    files = {KEYS: b"", RECENT: b"", VERSIONS: b""}
    return {**files, CONFIG: _config(_frontend(site), files, site)}


def validate(rendered: Rendered) -> None:
    """Have HAProxy check the files. Raises RenderedInvalidError."""
    with tempfile.TemporaryDirectory(prefix="haproxy-") as folder:
        for name, content in rendered.files.items():
            (Path(folder) / name).write_bytes(content)
        try:
            checked = subprocess.run(  # noqa: S603  # nothing of it comes from outside
                ["haproxy", "-c", "-f", f"{folder}/{CONFIG}"],  # noqa: S607  # that of the PATH
                capture_output=True,
                text=True,
                timeout=CHECK_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RenderedInvalidError(f"haproxy -c: {error}") from None
    if checked.returncode:
        raise RenderedInvalidError(checked.stderr.replace(folder, "").strip()[-2_000:])


def _config(text: str, files: dict[str, bytes], site: Site) -> bytes:
    digest = sha256(text.encode())
    for name in sorted(files):
        digest.update(b"%b %d\n" % (name.encode(), len(files[name])))
        digest.update(files[name])
    head = _GLOBAL.format(digest=digest.hexdigest()[:DIGEST_DIGITS], directory=site.directory)
    return (head + text).encode()


def _frontend(site: Site) -> str:
    host = f"[{site.listen_host}]" if ":" in site.listen_host else site.listen_host
    return _FRONTEND.replace("@listen", f"{host}:{site.listen_port}")


def _lines(subscription: Body) -> tuple[bytes, tuple[Unserved, ...]]:
    found = entries(subscription)
    unserved = tuple(
        Unserved("key", key["id"], "It is known by a hash by which it cannot be found.")
        for key in subscription["keys"]
        if not key["sha256"] and not key["sha1"]
    )
    return "".join(f"{digest} {who}\n" for digest, who in found.items()).encode(), unserved


def _served(snapshot: Document, unserved: list[Unserved]) -> list[Body]:
    """Return the versions, the newest of those at the same address."""
    products = {row["id"] for row in snapshot["products"]}
    newest: dict[tuple[str, str], Body] = {}
    for version in sorted(snapshot["versions"], key=precedence):
        if version["product"] not in products:
            continue  # without its product it has no address
        if snapshot["group"]["environment"] not in version["upstreams"]:
            continue
        address = (version["product"], version["base"])
        if address in newest:
            older = newest[address]["id"]
            unserved.append(Unserved(VERSION, older, "A newer one answers at its address."))
        newest[address] = version
    return sorted(newest.values(), key=lambda row: str(row["id"]))


def _unserved(snapshot: Document) -> Iterator[Unserved]:
    environment = snapshot["group"]["environment"]
    yield from unserved(environment, snapshot["versions"], snapshot["plans"])
    plans = {row["id"] for row in snapshot["plans"]}
    for row in snapshot["subscriptions"]:
        if row["plan"] not in plans:
            yield Unserved(SUBSCRIPTION, row["id"], "Its plan is not there.")
    for row in snapshot["plans"]:
        if row["auth"]["kind"] == "JWT":
            yield Unserved(PLAN, row["id"], "This renderer checks no tokens.")


def _ms(instant: str | None, otherwise: int) -> int:
    # HAProxy reads no negative numbers.
    return (
        max(0, int(datetime.fromisoformat(instant).timestamp() * 1_000)) if instant else otherwise
    )
