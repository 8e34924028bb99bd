"""What can be set from outside: environment variables CONTROLPLANE_*, with their defaults."""

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

OIDC_ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}
"""Only those whose verifier holds nothing secret: `none` and HMAC can never be allowed."""
OIDC_ROLES = {"OWNER", "PRODUCT_MANAGER", "DEVELOPER", "AUDITOR", "OPERATOR"}
"""A gateway has a token of its own, which names it."""
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


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
    revocations_file: str = Field(
        "",
        description="Journal of what was taken away, on another disk than the database's;"
        " empty keeps none.",
    )
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
    token_trust_s: float = Field(
        60.0,
        gt=0,
        le=3_600,
        description="How long a token known here is let in without hearing from the database.",
    )
    config_shrink_percent: int = Field(
        50,
        ge=0,
        le=100,
        description="Share of a group's rows that may go with one product; more, or all of them,"
        " is held back.",
    )
    login_failures: int = Field(
        60,
        ge=1,
        le=10_000,
        description="Bearer tokens refused a minute, by address and by token, before 429.",
    )
    registrations: int = Field(
        30,
        ge=1,
        le=10_000,
        description="Registrations that visitors ask for an hour, by address, before they wait.",
    )
    gateway_port: int = Field(
        8_000, ge=0, le=65_535, description="Port of the Envoy beside a demo; 0 starts none."
    )
    gateway_key_sets: str = Field(
        "", description="JSON file of JWK sets by issuer, for plans with JWTs at Envoys that ask."
    )
    gateway_stale_s: float = Field(
        180.0,
        ge=1,
        le=86_400,
        description="A gateway of which nothing was heard for so long is stale; polls last 60 s.",
    )
    observations_kept_d: int = Field(
        90, ge=1, le=3_650, description="Days for which it is known what gateways ran."
    )
    trusted_proxies: str = Field(
        "", description="Networks whose X-Forwarded-For is believed, comma-separated."
    )
    oidc_issuer: str = Field("", description="OpenID Connect issuer whose tokens are let in too.")
    oidc_audience: str = Field(
        "", validate_default=True, description="What `aud` of its tokens must contain."
    )
    oidc_algorithms: str = Field(
        "RS256,ES256", description="Signatures that are accepted, comma-separated."
    )
    oidc_clients: str = Field(
        "", description="What `azp` may be besides the audience, comma-separated."
    )
    oidc_organization_claim: str = Field(
        "organization", min_length=1, description="Claim with the organization's slug."
    )
    oidc_role_claim: str = Field(
        "role", min_length=1, description="Claim with the role or the groups."
    )
    oidc_team_claim: str = Field(
        "team", min_length=1, description="Claim with the id of a developer's team."
    )
    oidc_operator: bool = Field(default=False, description="Let the issuer name operators too.")
    oidc_roles: str = Field(
        "{}", validate_default=True, description="Values of the role claim and their roles, JSON."
    )
    oidc_leeway_s: int = Field(
        30, ge=0, le=300, description="How far the issuer's clock may be from ours."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for network in words(value):
            ip_network(network)
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _address(cls, value: str) -> str:
        url = urlsplit(value)
        secure = url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK)
        if (value and not (secure and url.hostname)) or url.query or url.fragment or url.username:
            raise ValueError("must be an https address without query, fragment or user")
        return value

    @field_validator("oidc_audience")
    @classmethod
    def _audience(cls, value: str, others: ValidationInfo) -> str:
        if others.data.get("oidc_issuer") and not value:
            raise ValueError("must be set with an issuer, or tokens for others would be let in")
        return value

    @field_validator("oidc_algorithms")
    @classmethod
    def _algorithms(cls, value: str) -> str:
        if not words(value) or not OIDC_ALGORITHMS.issuperset(words(value)):
            raise ValueError(f"must be some of {', '.join(sorted(OIDC_ALGORITHMS))}")
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _roles(cls, value: str, others: ValidationInfo) -> str:
        try:
            table = json.loads(value)
        except (ValueError, RecursionError):
            table = None
        if not isinstance(table, dict) or not all(
            isinstance(role, str) and role in OIDC_ROLES for role in table.values()
        ):
            raise ValueError(
                f"must be an object whose values are of {', '.join(sorted(OIDC_ROLES))}"
            )
        if "OPERATOR" in table.values() and not others.data.get("oidc_operator"):
            raise ValueError("names OPERATOR, which CONTROLPLANE_OIDC_OPERATOR must allow")
        if others.data.get("oidc_issuer") and not table:
            raise ValueError("must be set with an issuer, or nobody would be let in")
        return value

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


def words(value: str) -> list[str]:
    """Return what a comma-separated setting lists."""
    return [word.strip() for word in value.split(",") if word.strip()]
