"""What can be set from outside: environment variables CONTROLPLANE_*, with their defaults."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one process; `controlplane serve --help` and docs/operating.md name them too."""

    model_config = SettingsConfigDict(
        env_prefix="CONTROLPLANE_", env_ignore_empty=True, frozen=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65_535, description="Port to listen on; 0 picks a free one.")
    database_url: str = Field(
        "",
        repr=False,  # it may hold a password
        description="DSN of PostgreSQL 15 or later; empty starts an embedded one.",
    )
    data_dir: Path = Field(Path("var"), description="Where the embedded PostgreSQL keeps its data.")
    workers: int = Field(1, ge=1, le=64, description="Processes that serve requests.")
    pool_size: int = Field(10, ge=2, le=200, description="Connections of one process.")
    database_budget_s: float = Field(
        5.0, gt=0, le=60, description="How long one request waits for the database."
    )
    body_limit_bytes: int = Field(
        2 * 2**20, ge=1_024, le=64 * 2**20, description="Largest request body."
    )
    body_s: float = Field(
        30.0, gt=0, le=600, description="How long a client may take to send a request body."
    )
    keepalive_s: float = Field(
        75.0,
        gt=0,
        le=3_600,
        description="How long a connection may be idle, or take to send the head of a request.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important logs that are written."
    )
    log_commands: bool = Field(default=False, description="Log each command that succeeds.")
    log_requests: bool = Field(default=False, description="Log each request that succeeds.")
    shutdown_s: float = Field(
        10.0, ge=0, le=300, description="How long a stopping process finishes what it accepted."
    )

    cors_origins: str = Field(
        "",
        pattern=r"^(\*|https?://[^\s/,]+)?(, *(\*|https?://[^\s/,]+))*$",
        description="Origins whose pages may use `/graphql`, separated by commas; `*` for all.",
    )
    graphiql: bool = Field(default=True, description="Serve the GraphiQL page at `/graphiql`.")
    persisted: Literal["off", "register", "allow-list"] = Field(
        "register", description="Which documents are served by their hash; `allow-list`: no others."
    )
    persisted_documents: str = Field(
        "",
        description="Directory of `*.graphql`, or JSON file of texts by hash, for `allow-list`.",
    )
    websocket_init_s: float = Field(
        5.0, gt=0, le=10, description="How long a WebSocket may be open without `connection_init`."
    )
    websocket_heartbeat_s: float = Field(
        10.0, gt=0, le=13, description="Pause between pings; without a pong in half of it, closed."
    )

    @property
    def origins(self) -> frozenset[str]:
        """The origins of `cors_origins`."""
        listed = (each.strip().lower() for each in self.cors_origins.split(","))
        return frozenset(each for each in listed if each)

    def environment(self) -> dict[str, str]:
        """Return the variables from which another process gets the same settings."""
        return {
            f"{self.model_config['env_prefix']}{name.upper()}": str(value)
            for name, value in self.model_dump().items()
        }
