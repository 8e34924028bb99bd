"""A backup is restored under a running gateway: what was revoked does not come back by itself."""

import asyncio
from pathlib import Path

from tests.faults.gateways import OK, UNAUTHORIZED, calls, haproxy_gateway, sold
from tests.faults.test_history_replaced import copy, restore
from tests.gateways.world import free_port, upstream
from tests.processes import serving

CONFIRM = """mutation ($input: ConfirmEpochInput!) { result: confirmEpoch(input: $input) {
  __typename ... on Rejected { message } } }"""


async def test_a_revoked_key_that_a_restore_brings_back_is_refused_until_it_is_confirmed(
    server: str, dsn: str, tmp_path: Path
) -> None:
    port = free_port()
    url, variables = f"http://127.0.0.1:{port}", {"CONTROLPLANE_DATABASE_URL": dsn}
    async with upstream() as to:
        shop = await sold(dsn, to, gateways=1, keys=2)
        revoked, valid = shop.keys
        await copy(server, dsn)
        with serving(tmp_path / "log", CONTROLPLANE_PORT=str(port), **variables):
            async with (
                haproxy_gateway(tmp_path / "haproxy", url, shop.gateways[0]) as gateway,
                calls(gateway) as callers,
            ):
                portal = shop.portal(callers.http, url)
                async with callers.calling(valid.secret):
                    await callers.until(OK, revoked.secret)
                    await portal.revoke(revoked)
                    callers.refuse(revoked)
                    await callers.until(UNAUTHORIZED, revoked.secret)

                    await restore(server, dsn)
                    later = await portal.issue()
                    await callers.until(OK, later.secret)  # the gateway has taken the new epoch
                    await asyncio.sleep(0.5)  # and is asked for what was revoked

                    del callers.refused_from_s[revoked.secret]
                    await portal.asked(CONFIRM, groupId=shop.group, epoch=2)
                    await callers.until(OK, revoked.secret)
    assert callers.wrong == []
