"""Envoy as the agent drives it: files that it watches, each replaced only when it is another.

Envoy takes a file in when it is renamed into place, and serves from the files after a start of its
own. What it makes of a file it does not say: it is checked before it is written.
"""

import asyncio
from dataclasses import replace
from pathlib import Path

import orjson

from controlplane.gateway.agent import files
from controlplane.gateway.agent.held import Change, Held
from controlplane.gateway.renderers import Memo, Site, Unserved, envoy
from domain.routing import LISTS, SUBSCRIPTION


class Envoy:
    """An Envoy, started with `-c DIR/bootstrap.json`."""

    def __init__(self, site: Site) -> None:
        """Drive the one of a site, whose directory is there."""
        # The token is the agent's: Envoy reads files, and asks nobody.
        self._site, self._folder = replace(site, token_file=""), Path(site.directory)
        self._memo = Memo()
        self._written: dict[str, bytes] | None = None

    async def enforce(self, held: Held, changes: list[Change] | None) -> tuple[Unserved, ...]:
        """Have the files say what is held. Raises RenderedInvalidError."""
        written, self._written = self._written, None
        known = changes is not None and written is not None
        self._memo.changed = (
            {each.id: each.after for each in changes or () if each.kind == SUBSCRIPTION}
            if known
            else None
        )
        lists = {name: held.rows[kind].values() for kind, name in LISTS.items()}
        rendered = envoy.render({**held.head, **lists}, self._site, self._memo)
        new = {
            name: content
            for name, content in rendered.files.items()
            if (written or {}).get(name) is not content
        }
        for name, content in new.items():
            envoy.check(name, orjson.loads(content))
        await asyncio.to_thread(files.write_all, self._folder, new)
        self._written = rendered.files
        return rendered.unserved
