"""What tests start from."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from controlplane.auth import PERMISSIONS
from controlplane.context import INSTALLATION, Caller
from domain.access_token import Role
from domain.aggregate import Why
from domain.contract_test import BrokenPromise, ContractTest

AT = datetime(2026, 1, 1, tzinfo=UTC)
ACE, BAD = UUID(int=0xACE), UUID(int=0xBAD)


def caller(
    role: Role,
    organization_id: UUID = ACE,
    team_id: UUID | None = None,
    developer_id: UUID | None = None,
) -> Caller:
    return Caller(
        organization_id,
        role.value.lower(),
        "token",
        "api",
        role,
        PERMISSIONS[role],
        team_id,
        developer_id=developer_id,
    )


OWNER = replace(caller(Role.OWNER), actor="ada", actor_kind="person", channel="portal")
MANAGER = caller(Role.PRODUCT_MANAGER)
AUDITOR = caller(Role.AUDITOR)
OPERATOR = caller(Role.OPERATOR, INSTALLATION)
STRANGER = replace(OWNER, organization_id=BAD)
WHY = Why(
    organization=str(ACE),
    actor="ada",
    actor_kind="person",
    channel="portal",
    command="1",
    correlation="2",
    causation="",
    reason="",
)
PETSTORE = b"""{"openapi": "3.1.0", "info": {"title": "Pets", "version": "1.0.0"}, "paths": {
  "/pets": {"get": {"operationId": "listPets", "responses": {"200": {"description": "ok"}}},
            "post": {"operationId": "addPet", "responses": {"201": {"description": "ok"}}}},
  "/pets/{id}": {"get": {"operationId": "getPet", "responses": {"200": {"description": "ok"}}}}}}"""
PETSTORE_TESTED = ContractTest(
    verdict="FAILED",
    problem="",
    contract_sha256=sha256(PETSTORE).hexdigest(),
    upstream="https://pets.example.com",
    tool="Schemathesis 4.32.5",
    writes=False,
    operations=2,
    of_operations=3,
    requests=120,
    failure_count=1,
    failures=[BrokenPromise("GET /pets", "ST101", "Server error")],
    duration_ms=1_234,
)
