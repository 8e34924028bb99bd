"""HAProxy as the agent drives it: keys in the running process, anything else by a reload.

What recent.map says counts before keys.map. A change of keys goes into recent.map of the running
process, where it counts at once, and then into the file, so that a process that starts by itself
knows it too. keys.map is written anew when recent.map has grown, or for another reason to reload.
"""

import asyncio
from contextlib import suppress
from pathlib import Path

from controlplane.gateway.agent import files
from controlplane.gateway.agent.gateway import GatewayError
from controlplane.gateway.agent.held import Change, Held
from controlplane.gateway.renderers import Memo, Site, haproxy
from domain.routing import SUBSCRIPTION
from domain.unserved import Unserved

RECENT_KEYS = 2_000
"""More of them are put into keys.map: a search for one to change passes all of recent.map."""
COMMANDS = 100
"""So many changes are sent at once, which stays below HAProxy's buffer of 16 KB."""
ANSWER_S = 5.0
ANSWER_BYTES = 2**20
SAID_CHARS = 200
LOADED_S = 30.0
"""How long HAProxy may take to load keys.map and the rest."""
LOOK_S = 0.02
SOCKET, MASTER = "haproxy.sock", "master.sock"


class HAProxy:
    """A HAProxy in master-worker mode, started with `-W -S DIR/master.sock -f DIR/haproxy.cfg`."""

    def __init__(self, site: Site) -> None:
        """Drive the one of a site, whose directory is there."""
        self._site, self._folder = site, Path(site.directory)
        self._memo = Memo()
        self._recent: dict[str, str] = {}
        self._digest = ""
        """Of the files."""
        self._running = ""
        """Of the process whose recent.map is `_recent`; "" if that is not certain."""
        self._stale = True
        """Whether the files must be written anew."""
        self._unserved: tuple[Unserved, ...] = ()

    async def enforce(self, held: Held, changes: list[Change] | None) -> tuple[Unserved, ...]:
        """Have the process run what is held.

        Keys count at once, also while the rest cannot be loaded. Raises GatewayError,
        RenderedInvalidError.
        """
        # First: changes are told once, and HAProxy may not answer.
        self._stale |= changes is None or any(each.kind != SUBSCRIPTION for each in changes)
        if changes:
            await self._keys(changes)
        if self._stale or len(self._recent) > RECENT_KEYS:
            await self._everything(held)
        if not self._running or (await self._loaded())[1] != self._digest:
            await self._reload()
        return self._unserved

    async def _keys(self, changes: list[Change]) -> None:
        new: dict[str, str] = {}
        for each in changes:
            if each.kind == SUBSCRIPTION:
                before = haproxy.entries(each.before) if each.before else {}
                after = haproxy.entries(each.after) if each.after else {}
                new |= dict.fromkeys(before.keys() - after.keys(), haproxy.GONE)
                new |= {key: who for key, who in after.items() if before.get(key) != who}
        commands = [
            f"{'set' if key in self._recent else 'add'} map {haproxy.RECENT} {key} {who}"
            for key, who in new.items()
        ]
        self._recent |= new
        running, self._running = self._running, ""
        try:
            if running and (await self._loaded())[1] == running:
                for first in range(0, len(commands), COMMANDS):
                    said = await self._say(SOCKET, ";".join(commands[first : first + COMMANDS]))
                    if said.strip():
                        raise GatewayError(detail=said.strip()[:SAID_CHARS])
                self._running = running
        finally:
            lines = "".join(f"{key} {who}\n" for key, who in self._recent.items())
            files.write(self._folder / haproxy.RECENT, lines.encode())

    async def _everything(self, held: Held) -> None:
        rendered = haproxy.render(held.enforced(), self._site, self._memo)
        await asyncio.to_thread(haproxy.validate, rendered)
        await asyncio.to_thread(files.write_all, self._folder, rendered.files, last=haproxy.CONFIG)
        self._recent, self._running = {}, ""
        files.remove_all(
            path for path in self._folder.glob("routes-*.map") if path.name not in rendered.files
        )
        self._unserved = rendered.unserved
        self._digest, self._stale = _digest(rendered.files[haproxy.CONFIG]), False

    async def _reload(self) -> None:
        """Have the files loaded, and wait until they are. Raises GatewayError."""
        former, _ = await self._loaded()
        await self._say(MASTER, "reload")
        deadline = asyncio.get_running_loop().time() + LOADED_S
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(LOOK_S)
            with suppress(GatewayError):  # between two processes
                process, digest = await self._loaded()
                if process != former and digest == self._digest:
                    self._running = digest
                    return
        raise GatewayError(detail="It did not load its configuration; its log says why.")

    async def _loaded(self) -> tuple[str, str]:
        """Return the id of the process and the digest of what it runs. Raises GatewayError."""
        said = dict(
            line.partition(": ")[::2]
            for line in (await self._say(SOCKET, "show info")).splitlines()
        )
        return said.get("Pid", ""), said.get("description", "")

    async def _say(self, socket: str, command: str) -> str:
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_unix_connection(self._folder / socket)
                try:
                    writer.write(f"{command}\n".encode())
                    await writer.drain()
                    return (await reader.read(ANSWER_BYTES)).decode(errors="replace")
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise GatewayError(
                detail=f"HAProxy does not answer at {self._folder / socket}"
                f" ({type(error).__name__}): it is started with -W -S {self._folder / MASTER}."
            ) from None


def _digest(config: bytes) -> str:
    for line in config.decode().splitlines():
        name, _, value = line.strip().partition(" ")
        if name == "description":
            return value
    raise AssertionError
