from uuid import UUID

import pytest

from domain.api_version import (
    UPSTREAMS,
    ApiVersion,
    TooManyUpstreamsError,
    Upstream,
    UpstreamUnchangedError,
    UpstreamUnknownError,
    VersionNumberInvalidError,
    VersionRetiredError,
)
from domain.contract.read import read_contract
from domain.review import VersionNotDraftError
from domain.text import SlugInvalidError, UrlInvalidError
from tests.given import AT, PETSTORE, WHY

ID, PRODUCT = UUID(int=1), UUID(int=2)
CONTRACT = read_contract(PETSTORE)
LIVE = Upstream("live", "https://pets.example/v1")


def draft(number: str = "1.4.0", upstreams: list[Upstream] | None = None) -> ApiVersion:
    return ApiVersion.define(
        ID,
        product_id=PRODUCT,
        number=number,
        contract=CONTRACT,
        contract_sha256="f" * 64,
        contract_bytes=len(PETSTORE),
        upstreams=[LIVE] if upstreams is None else upstreams,
        at=AT,
        why=WHY,
    )


def test_a_version_begins_as_a_draft_with_the_operations_of_its_contract() -> None:
    (defined,) = draft().pending_events
    assert isinstance(defined, ApiVersion.Defined)
    assert defined == ApiVersion.Defined(
        ID,
        1,
        AT,
        "api_version",
        WHY,
        PRODUCT,
        "1.4.0",
        "OPENAPI_3_1",
        "f" * 64,
        len(PETSTORE),
        "Pets",
        "",
        [LIVE],
        list(CONTRACT.operations),
        "default",
    )
    assert [operation.name for operation in defined.operations] == ["listPets", "addPet", "getPet"]


def test_a_draft_version_can_be_published_once() -> None:
    version = draft()
    version.publish(at=AT, why=WHY)
    assert version.pending_events[-1] == ApiVersion.Published(ID, 2, AT, WHY)
    with pytest.raises(VersionNotDraftError):
        version.publish(at=AT, why=WHY)


# The examples of semver.org's own regular expression, and some of its borders.
@pytest.mark.parametrize(
    "number",
    [
        "0.0.4",
        "1.2.3",
        "10.20.30",
        "1.1.2-prerelease+meta",
        "1.1.2+meta",
        "1.1.2+meta-valid",
        "1.0.0-alpha",
        "1.0.0-alpha.beta.1",
        "1.0.0-alpha0.valid",
        "1.0.0-alpha.0valid",
        "1.0.0-rc.1+build.123",
        "1.2.3-SNAPSHOT-123",
        "2.0.0+build.1848",
        "1.0.0-0A.is.legal",
        "1.0.0-0",
        "1.0.0--",
        "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
        "999999999.999999999.999999999",
    ],
)
def test_a_version_number_is_semantic(number: str) -> None:
    assert draft(number).version == 1


@pytest.mark.parametrize(
    "number",
    [
        "",
        "1",
        "1.2",
        "1.2.3-0123",
        "1.2.3-0123.0123",
        "1.1.2+.123",
        "1.1.2+a..b",
        "+invalid",
        "-invalid",
        "alpha.1",
        "1.0.0-alpha_beta",
        "1.0.0-alpha..",
        "1.0.0-alpha..1",
        "01.1.1",
        "1.01.1",
        "1.1.01",
        "1.2.3.DEV",
        "1.2-SNAPSHOT",
        "v1.2.3",
        "-1.0.3-gamma+b7718",
        "1.0.0+",
        "1.0.0-",
        "1.2.3 ",
        "1.2.3\n",
        "\u0661.\u0662.\u0663",  # digits, but of another script
        "1000000000.0.0",
        "1.0.0-" + "a" * 41,
        "1.0.0-" + ".".join("a" * 10),
    ],
)
def test_a_number_that_is_not_semantic_is_refused(number: str) -> None:
    with pytest.raises(VersionNumberInvalidError) as refused:
        draft(number)
    assert refused.value.about == "number"


def test_a_version_has_one_upstream_for_each_of_at_most_twenty_environments() -> None:
    many = [Upstream(f"e{n}", "https://pets.example") for n in range(UPSTREAMS + 1)]
    assert draft(upstreams=many[:UPSTREAMS]).version == 1
    for upstreams in (many, [LIVE, LIVE]):
        with pytest.raises(TooManyUpstreamsError) as refused:
            draft(upstreams=upstreams)
        assert refused.value.about == "upstreams"


def test_an_upstream_is_an_environment_and_an_address() -> None:
    with pytest.raises(SlugInvalidError):
        draft(upstreams=[Upstream("Live!", LIVE.url)])
    with pytest.raises(UrlInvalidError):
        draft(upstreams=[Upstream("live", "file:///etc/passwd")])


def test_an_upstream_moves_at_any_time_before_the_version_is_retired() -> None:
    version = draft()
    version.publish(at=AT, why=WHY)
    version.choose_upstream("live", "https://new.example", at=AT, why=WHY)
    version.deprecate(sunset_at=None, successor=None, link="", at=AT, why=WHY)
    version.choose_upstream("staging", "https://staging.example", at=AT, why=WHY)
    version.withdraw_upstream("live", at=AT, why=WHY)

    assert version.upstreams == {"staging": "https://staging.example"}
    version.retire(at=AT, why=WHY)
    with pytest.raises(VersionRetiredError):
        version.choose_upstream("live", "https://new.example", at=AT, why=WHY)
    with pytest.raises(VersionRetiredError):
        version.withdraw_upstream("staging", at=AT, why=WHY)
    version.reinstate(at=AT, why=WHY)
    version.choose_upstream("live", "https://new.example", at=AT, why=WHY)


def test_an_upstream_is_another_than_before_of_an_environment_that_there_is() -> None:
    version = draft()
    with pytest.raises(UpstreamUnchangedError):
        version.choose_upstream(LIVE.environment, LIVE.url, at=AT, why=WHY)
    with pytest.raises(UpstreamUnknownError):
        version.withdraw_upstream("prodution", at=AT, why=WHY)
    with pytest.raises(SlugInvalidError):
        version.choose_upstream("Live!", LIVE.url, at=AT, why=WHY)
    with pytest.raises(UrlInvalidError):
        version.choose_upstream("live", "ftp://pets.example", at=AT, why=WHY)
    assert len(version.pending_events) == 1


def test_a_version_has_so_many_upstreams_and_no_more_however_they_came() -> None:
    version = draft()
    for nth in range(1, UPSTREAMS):
        version.choose_upstream(f"live-{nth}", LIVE.url, at=AT, why=WHY)

    with pytest.raises(TooManyUpstreamsError):
        version.choose_upstream("more", LIVE.url, at=AT, why=WHY)
    version.choose_upstream("live", "https://new.example", at=AT, why=WHY)
