"""Envoy as the agent drives it: files that it watches, each replaced only when it is another.

Envoy takes a file in when it is renamed into place, and serves from the files after a start of its
own. What it makes of them only its administration says: with a port for it, the agent waits until
Envoy runs every version; without, what was written counts as enforced.
"""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

from controlplane.gateway.agent import files
from controlplane.gateway.agent.gateway import GatewayError
from controlplane.gateway.agent.held import Change, Held
from controlplane.gateway.renderers import Memo, Site, envoy
from domain.routing import LISTS, SUBSCRIPTION
from domain.unserved import Unserved

ANSWER_S = 5
LOADED_S = 30.0
LOOK_S = 0.02
_STATS = "/stats?filter=(version_text|update_rejected)$"
_VERSION = re.compile(r'version_text: "([^"]*)"')
_REJECTED = re.compile(r"update_rejected: (\d+)")


class Envoy:
    """An Envoy, started with `-c DIR/bootstrap.json`."""

    def __init__(self, site: Site) -> None:
        """Drive the one of a site, whose directory is there."""
        # The token is the agent's: Envoy reads files, and asks nobody.
        self._site, self._folder = replace(site, token_file=""), Path(site.directory)
        self._memo = Memo()
        self._written: dict[str, bytes] | None = None

    async def enforce(self, held: Held, changes: list[Change] | None) -> tuple[Unserved, ...]:
        """Have the files say what is held. Raises RenderedInvalidError, GatewayError."""
        written, self._written = self._written, None
        known = changes is not None and written is not None
        self._memo.changed = (
            {each.id: each.after for each in changes or () if each.kind == SUBSCRIPTION}
            if known
            else None
        )
        lists = {name: held.rows[kind].values() for kind, name in LISTS.items()}
        enforced = held.tombstones.enforced({**held.head, **lists})
        rendered = envoy.render(enforced, self._site, self._memo)
        new = {
            name: content
            for name, content in rendered.files.items()
            if (written or {}).get(name) is not content
        }
        for name, content in new.items():
            envoy.check(name, orjson.loads(content))
        await asyncio.to_thread(files.write_all, self._folder, new)
        self._written = rendered.files
        if self._site.admin_port:
            await self._loaded({each.version for each in rendered.resources.values()})
        return rendered.unserved

    async def _loaded(self, wanted: set[str]) -> None:
        """Wait until Envoy says that it runs these versions. Raises GatewayError."""
        before: int | None = None
        deadline = asyncio.get_running_loop().time() + LOADED_S
        async with ClientSession(timeout=ClientTimeout(total=ANSWER_S)) as session:
            while asyncio.get_running_loop().time() < deadline:
                running, rejected = await self._said(session)
                if wanted <= running:
                    return
                before = rejected if before is None else before
                if rejected > before:
                    break
                await asyncio.sleep(LOOK_S)
        raise GatewayError(detail="Envoy does not run its configuration; its log says why.")

    async def _said(self, session: ClientSession) -> tuple[set[str], int]:
        """Return the versions that Envoy runs, and how many it refused. Raises GatewayError."""
        url = f"http://127.0.0.1:{self._site.admin_port}{_STATS}"
        try:
            async with session.get(url) as response:
                said = await response.text()
        except (ClientError, TimeoutError, OSError) as error:
            raise GatewayError(detail=f"Envoy does not answer: {type(error).__name__}.") from None
        return set(_VERSION.findall(said)), sum(map(int, _REJECTED.findall(said)))
