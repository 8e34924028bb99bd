"""`serve --demo` starts an Envoy beside itself, as a process."""

from pathlib import Path

from tests.gateways.real_envoy import call, free_port
from tests.processes import eventually, serving

PATH = "/control-plane-http/v1/readyz"


def test_the_demos_key_works_at_its_envoy_is_limited_and_both_end_together(
    dsn: str, tmp_path: Path
) -> None:
    port = free_port()
    with serving(
        tmp_path / "log",
        "--demo",
        CONTROLPLANE_DATABASE_URL=dsn,
        CONTROLPLANE_GATEWAY_PORT=str(port),
    ) as served:
        assert served.announced["gateway"] == f"http://127.0.0.1:{port}"
        key = {"X-Api-Key": served.announced["key"]}

        assert eventually(lambda: "ratelimit" in call(port, PATH, headers=key).headers)
        assert call(port, PATH).status == 401
        statuses = [call(port, PATH, headers=key).status for _ in range(6)]
        assert statuses[0] == 200
        assert statuses[-1] == 429
        assert served.stop() == 0
        assert eventually(lambda: call(port, PATH).status == 0)


def test_an_envoy_ends_with_a_demo_that_was_killed(dsn: str, tmp_path: Path) -> None:
    port = free_port()
    with serving(
        tmp_path / "log",
        "--demo",
        CONTROLPLANE_DATABASE_URL=dsn,
        CONTROLPLANE_GATEWAY_PORT=str(port),
    ) as served:
        assert eventually(lambda: call(port, PATH).status == 401)
        served.process.kill()
        assert eventually(lambda: call(port, PATH).status == 0)
