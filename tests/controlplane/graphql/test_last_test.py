"""The last contract test of a version, through GraphQL."""

from dataclasses import replace

import pytest

from controlplane.app import App
from controlplane.commands.contract_test import RecordContractTest
from controlplane.graphql.node import named
from domain.access_token import Role
from domain.contract_test import BrokenPromise, ContractTestInvalidError
from domain.text import UrlInvalidError
from tests.controlplane.graphql.portal import opened
from tests.given import PETSTORE_TESTED, caller

ASKED = """query ($id: ID!) { node(id: $id) { ... on ApiVersion { number version lastTest {
  at verdict problem contractSha256 upstream tool writes operations ofOperations requests
  failureCount failures { operation code title } durationMs } } } }"""


async def test_the_provider_sees_the_last_test_and_nobody_else_does(app: App) -> None:
    async with opened(app) as portal:
        version = (await portal.sell())["product_version"]
        assert (await portal.ask("manager", ASKED, id=version))["node"]["lastTest"] is None
        by = caller(Role.PRODUCT_MANAGER, portal.organization_id)
        version_id = named(version, "ApiVersion", "version")
        passed = replace(PETSTORE_TESTED, verdict="PASSED", failures=[], failure_count=0)
        for test in (passed, PETSTORE_TESTED):
            await portal.execute(RecordContractTest(version_id=version_id, test=test), by)
        await portal.seen()
        node = (await portal.ask("manager", ASKED, id=version))["node"]
        assert node["version"] == 4
        last = node["lastTest"]
        assert (last["verdict"], last["requests"], last["failureCount"]) == ("FAILED", 120, 1)
        assert last["failures"] == [
            {"operation": "GET /pets", "code": "ST101", "title": "Server error"}
        ]
        for who in ("developer", None):
            assert (await portal.ask(who, ASKED, id=version))["node"]["lastTest"] is None


async def test_what_is_not_of_the_contract_or_too_long_is_no_test_of_it(app: App) -> None:
    async with opened(app) as portal:
        version_id = named((await portal.sell())["product_version"], "ApiVersion", "version")
        by = caller(Role.PRODUCT_MANAGER, portal.organization_id)
        broken = BrokenPromise("GET /pets", "ST101", "Server error")
        for wrong in (
            replace(PETSTORE_TESTED, contract_sha256="0" * 64),
            replace(PETSTORE_TESTED, verdict="PERHAPS"),
            replace(PETSTORE_TESTED, failures=[broken] * 51),
            replace(PETSTORE_TESTED, problem="x" * 201),
            replace(PETSTORE_TESTED, failures=[replace(broken, title="a\nb")]),
        ):
            with pytest.raises(ContractTestInvalidError):
                await portal.execute(RecordContractTest(version_id=version_id, test=wrong), by)
        elsewhere = replace(PETSTORE_TESTED, upstream="file:///etc/passwd")
        with pytest.raises(UrlInvalidError):
            await portal.execute(RecordContractTest(version_id=version_id, test=elsewhere), by)
