"""Envoy as the agent drives it: files that it watches; what it runs its administration says."""

import asyncio
import re
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout

from controlplane.gateway.agent import files
from controlplane.gateway.agent.gateway import GatewayError
from controlplane.gateway.agent.held import Change, Held
from controlplane.gateway.renderers import Memo, Rendered, Site, Unserved, envoy

ANSWER_S = 5
LOADED_S = 30.0
LOOK_S = 0.02
_STATS = "/stats?filter=(version_text|update_rejected)$"
_VERSION = re.compile(r'version_text: "([^"]*)"')
_REJECTED = re.compile(r"update_rejected: (\d+)")


class Envoy:
    """An Envoy whose bootstrap names the files of a directory; its administration must be open."""

    def __init__(self, site: Site) -> None:
        """Drive the one of a site, whose directory is there."""
        self._site, self._folder = site, Path(site.directory)
        self._memo = Memo()
        self._written: dict[str, bytes] = {}

    async def enforce(self, held: Held, changes: list[Change] | None) -> tuple[Unserved, ...]:
        """Put the files in place that are different, and wait until Envoy runs them all.

        Raises GatewayError, RenderedInvalidError.
        """
        rendered = envoy.render(held.document(), self._site, self._memo)
        changed = {
            name: content
            for name, content in rendered.files.items()
            if changes is None or self._written.get(name) != content
        }
        await asyncio.to_thread(envoy.validate, Rendered(changed, ()))
        self._written |= changed
        await asyncio.to_thread(files.write_all, self._folder, changed)
        await self._loaded({each.version for each in rendered.resources.values()})
        return rendered.unserved

    async def _loaded(self, wanted: set[str]) -> None:
        """Wait until Envoy says that it runs these versions. Raises GatewayError."""
        before = None
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
        raise GatewayError(detail="It does not run its configuration; its log says why.")

    async def _said(self, session: ClientSession) -> tuple[set[str], int]:
        """Return the versions that Envoy runs, and how many it refused. Raises GatewayError."""
        url = f"http://127.0.0.1:{self._site.admin_port}{_STATS}"
        try:
            async with session.get(url) as response:
                said = await response.text()
        except (ClientError, TimeoutError, OSError) as error:
            raise GatewayError(detail=f"Envoy does not answer: {type(error).__name__}.") from None
        return set(_VERSION.findall(said)), sum(map(int, _REJECTED.findall(said)))
