"""The way of a version past the contract gate, with the real judge."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from controlplane.app import App
from controlplane.commands import NotPermittedError, execute
from controlplane.commands.api_product import DefineProduct
from controlplane.commands.api_version import (
    DefineVersion,
    DeprecateVersion,
    RetireVersion,
    WithdrawVersion,
)
from controlplane.commands.contract_policy import SetContractPolicy
from controlplane.commands.review import (
    ApproveVersion,
    OverrideGate,
    PublishVersion,
    RequestChanges,
    ReviseVersion,
    SubmitVersion,
)
from controlplane.store.writer import Receipt
from domain.api_version import (
    ApiVersion,
    ContractUnchangedError,
    RevisionBreaksError,
    VersionNotRevisableError,
)
from domain.contract.gate import GateResult
from domain.contract_policy import (
    ContractPolicy,
    ContractPolicyInvalidError,
    IgnoredRule,
    NoticeDays,
    RuleLevel,
)
from domain.review import (
    ChangesCommentMissingError,
    FourEyesError,
    GateFailedError,
    GateOpenError,
    OverrideReasonMissingError,
    ReviewOutdatedError,
    VersionNotApprovedError,
    VersionNotDraftError,
    VersionNotInReviewError,
)
from tests.controlplane.commands.world import BREAKING, begun, do, established
from tests.given import AT, MANAGER, OWNER, PETSTORE

MORE = PETSTORE.replace(
    b'"paths": {', b'"paths": {"/cats": {"get": {"responses": {"200": {"description": "ok"}}}},'
)
REMOVED = "api-path-removed-without-deprecation"


async def product(app: App) -> UUID:
    await established(app, OWNER)
    return await begun(app, DefineProduct(slug="pets", name="Pets"))


async def draft(app: App, product_id: UUID, number: str, document: bytes = PETSTORE) -> UUID:
    return await begun(app, DefineVersion(product_id=product_id, number=number, document=document))


async def published(app: App, product_id: UUID, number: str, document: bytes = PETSTORE) -> UUID:
    version = await draft(app, product_id, number, document)
    await do(app, PublishVersion(version_id=version))
    return version


async def topics(app: App, version: UUID) -> list[str]:
    rows = await app.services.pool.fetch(
        "SELECT topic FROM stored_events WHERE originator_id = $1 ORDER BY originator_version",
        version,
    )
    return [row["topic"].partition(".")[2] for row in rows]


def gate_in(answer: Any) -> GateResult:
    (event,) = (e for e in answer.outcome.events if isinstance(e, ApiVersion.Submitted))
    assert event.gate is not None
    return event.gate


async def test_the_first_version_of_an_api_follows_nothing_and_is_just_published(app: App) -> None:
    version = await published(app, await product(app), "1.0.0")
    assert await topics(app, version) == ["defined", "published"]


async def test_a_version_that_adds_is_published_at_once_and_its_findings_are_kept(app: App) -> None:
    pets = await product(app)
    first = await published(app, pets, "1.0.0")
    second = await draft(app, pets, "1.1.0", MORE)
    gate = gate_in(await do(app, PublishVersion(version_id=second)))
    assert await topics(app, second) == ["defined", "submitted", "published"]
    assert (gate.follows_id, gate.follows_number) == (first, "1.0.0")
    assert (gate.errors, gate.warnings, gate.refused, gate.proposed) == (0, 0, False, "1.1.0")
    kept = await app.services.store.document(bytes.fromhex(gate.findings_sha256))
    assert kept is not None
    assert gate.infos == len(json.loads(kept)) > 0


async def test_a_break_that_the_number_does_not_announce_is_refused_and_said_what_to_do(
    app: App,
) -> None:
    pets = await product(app)
    await published(app, pets, "1.0.0")
    minor = await draft(app, pets, "1.1.0", BREAKING)
    with pytest.raises(
        GateFailedError, match=r"1 break after 1\.0\.0: .*from 2\.0\.0 on"
    ) as refused:
        await do(app, PublishVersion(version_id=minor))
    assert refused.value.about == "version_id"
    assert await topics(app, minor) == ["defined"]
    await published(app, pets, "2.0.0", BREAKING)


async def test_a_number_that_is_too_small_for_what_it_adds_is_refused(app: App) -> None:
    pets = await product(app)
    await published(app, pets, "1.0.0")
    patch = await draft(app, pets, "1.0.1", MORE)
    with pytest.raises(GateFailedError, match=r"1 changes? after 1\.0\.0"):
        await do(app, PublishVersion(version_id=patch))


async def test_another_build_of_the_same_number_is_no_way_past_the_gate(app: App) -> None:
    pets = await product(app)
    await published(app, pets, "1.0.0")
    for number, document in (("1.0.0+7", BREAKING), ("1.0.0+8", PETSTORE)):
        build = await draft(app, pets, number, document)
        with pytest.raises(GateFailedError, match=r"after 1\.0\.0: .*from [12]\.0\.[01] on"):
            await do(app, PublishVersion(version_id=build))


async def test_a_version_follows_the_one_below_it_that_is_in_service(app: App) -> None:
    pets = await product(app)
    first = await published(app, pets, "1.0.0")
    second = await published(app, pets, "2.0.0", BREAKING)
    await published(app, pets, "2.0.1-rc.1", BREAKING)
    late = await draft(app, pets, "1.0.1")
    assert gate_in(await do(app, SubmitVersion(version_id=late))).follows_id == first
    final = await draft(app, pets, "2.0.1", BREAKING)
    assert gate_in(await do(app, SubmitVersion(version_id=final))).follows_id == second
    for command in (DeprecateVersion(version_id=second), RetireVersion(version_id=second)):
        await do(app, command)
    third = await draft(app, pets, "3.0.0")
    gate = gate_in(await do(app, SubmitVersion(version_id=third)))
    assert gate.follows_id == first


async def test_what_was_published_before_there_was_a_gate_is_followed(app: App) -> None:
    pets = await product(app)
    first = await draft(app, pets, "1.0.0")
    version = await app.services.store.load(first)
    assert isinstance(version, ApiVersion)
    old = version.copy()
    context = app.context(OWNER)
    old.publish(at=AT, why=context.why(reason=""))
    stored = await app.services.store.append(
        [old], {}, [], Receipt(str(OWNER.organization_id), "a", "b", b"")
    )
    assert stored.position
    await app.projector.wait_until(stored.position)
    minor = await draft(app, pets, "1.1.0", BREAKING)
    with pytest.raises(GateFailedError):
        await do(app, PublishVersion(version_id=minor))


async def test_a_withdrawn_version_can_be_published_again(app: App) -> None:
    pets = await product(app)
    version = await published(app, pets, "1.0.0")
    await do(app, WithdrawVersion(version_id=version))
    await do(app, PublishVersion(version_id=version))
    assert await topics(app, version) == [
        "defined",
        "published",
        "publication_withdrawn",
        "published",
    ]


async def test_a_submitted_version_is_published_once_it_is_approved(app: App) -> None:
    pets = await product(app)
    version = await draft(app, pets, "1.0.0")
    with pytest.raises(VersionNotInReviewError):
        await do(app, ApproveVersion(version_id=version))
    await do(app, SubmitVersion(version_id=version, comment="please"))
    with pytest.raises(VersionNotApprovedError):
        await do(app, PublishVersion(version_id=version))
    with pytest.raises(VersionNotDraftError):
        await do(app, SubmitVersion(version_id=version))
    with pytest.raises(ChangesCommentMissingError):
        await do(app, RequestChanges(version_id=version, comment=" "))
    await do(app, RequestChanges(version_id=version, comment="name it"))
    await do(app, SubmitVersion(version_id=version))
    await do(app, ApproveVersion(version_id=version, comment="fine"))
    with pytest.raises(VersionNotInReviewError):
        await do(app, ApproveVersion(version_id=version))
    await do(app, PublishVersion(version_id=version))
    assert await topics(app, version) == [
        *("defined", "submitted", "changes_requested", "submitted", "approved", "published")
    ]


async def test_an_approval_is_about_the_version_before_it(app: App) -> None:
    pets = await product(app)
    await published(app, pets, "1.0.0")
    version = await draft(app, pets, "2.0.0", BREAKING)
    await do(app, SubmitVersion(version_id=version))
    await do(app, ApproveVersion(version_id=version))
    await published(app, pets, "1.1.0", MORE)
    with pytest.raises(ReviewOutdatedError):
        await do(app, PublishVersion(version_id=version))


async def test_a_policy_demands_a_review_by_somebody_else(app: App) -> None:
    pets = await product(app)
    policy = ContractPolicy(review_required=True)
    await do(app, SetContractPolicy(policy=policy))
    await do(app, SetContractPolicy(product_id=pets, policy=ContractPolicy(four_eyes=True)))
    version = await draft(app, pets, "1.0.0")
    with pytest.raises(VersionNotApprovedError):
        await do(app, PublishVersion(version_id=version))
    await do(app, SubmitVersion(version_id=version), MANAGER)
    with pytest.raises(FourEyesError):
        await do(app, ApproveVersion(version_id=version), MANAGER)
    await do(app, ApproveVersion(version_id=version))
    await do(app, PublishVersion(version_id=version), MANAGER)


async def test_who_may_overrides_the_gate_with_a_reason_and_for_these_breaks_only(app: App) -> None:
    pets = await product(app)
    await published(app, pets, "1.0.0")
    version = await draft(app, pets, "1.1.0", BREAKING)
    with pytest.raises(NotPermittedError):
        await do(app, OverrideGate(version_id=version, reason="urgent"), MANAGER)
    with pytest.raises(OverrideReasonMissingError) as missing:
        await do(app, OverrideGate(version_id=version))
    assert missing.value.about == "reason"
    (event,) = (
        await do(app, OverrideGate(version_id=version, reason="nobody calls it"))
    ).outcome.events
    assert isinstance(event, ApiVersion.GateOverridden)
    assert (event.why["reason"], event.gate.errors) == ("nobody calls it", 1)
    await do(app, PublishVersion(version_id=version), MANAGER)
    assert await topics(app, version) == ["defined", "gate_overridden", "submitted", "published"]
    fine = await draft(app, pets, "2.0.0", BREAKING)
    with pytest.raises(GateOpenError):
        await do(app, OverrideGate(version_id=fine, reason="urgent"))


async def test_a_policy_makes_rules_graver_or_ignores_them_for_a_while(app: App) -> None:
    pets = await product(app)
    await published(app, pets, "1.0.0")
    minor = await draft(app, pets, "1.1.0", BREAKING)

    async def adopt(**policy: Any) -> None:
        await do(app, SetContractPolicy(product_id=pets, policy=ContractPolicy(**policy)))

    async def judged() -> GateResult:
        answer = await execute(SubmitVersion(version_id=minor), app.context(OWNER), dry_run=True)
        return gate_in(answer)

    assert (await judged()).refused
    await adopt(levels=[RuleLevel(REMOVED, "WARNING")])
    assert not (await judged()).refused
    expires_at = AT + timedelta(days=1)
    await adopt(ignored=[IgnoredRule(REMOVED, "", "unused", "Ada", expires_at)])
    gate = await judged()
    assert (gate.errors, gate.ignored, gate.refused) == (0, 1, False)
    late = replace(app.services, now=lambda: expires_at)
    with pytest.raises(GateFailedError):
        await execute(PublishVersion(version_id=minor), replace(app.context(OWNER), services=late))
    await adopt(major_may_break=False)
    major = await draft(app, pets, "2.0.0", BREAKING)
    with pytest.raises(GateFailedError):
        await do(app, PublishVersion(version_id=major))


@pytest.mark.parametrize(
    "policy",
    [
        {"levels": [RuleLevel("no-such-rule", "ERROR")]},
        {"levels": [RuleLevel(REMOVED, "FATAL")]},
        {"levels": [RuleLevel(REMOVED, "ERROR"), RuleLevel(REMOVED, "INFO")]},
        {"ignored": [IgnoredRule(REMOVED, "", "why", "Ada", AT)]},
        {"notice": [NoticeDays("stable", -1)]},
        {"notice": [NoticeDays("ripe", 1)]},
        {"overriders": ["AUDITOR"]},
    ],
)
async def test_a_policy_that_cannot_be_meant_is_refused(app: App, policy: Any) -> None:
    pets = await product(app)
    with pytest.raises(ContractPolicyInvalidError):
        await do(app, SetContractPolicy(product_id=pets, policy=ContractPolicy(**policy)))


async def test_a_draft_takes_another_contract_and_what_was_published_only_a_correction(
    app: App,
) -> None:
    pets = await product(app)
    version = await draft(app, pets, "1.0.0")
    await do(app, ReviseVersion(version_id=version, document=BREAKING))
    await do(app, ReviseVersion(version_id=version, document=PETSTORE))
    with pytest.raises(ContractUnchangedError) as unchanged:
        await do(app, ReviseVersion(version_id=version, document=PETSTORE))
    assert unchanged.value.about == "document"
    await do(app, SubmitVersion(version_id=version))
    with pytest.raises(VersionNotRevisableError):
        await do(app, ReviseVersion(version_id=version, document=BREAKING))
    await do(app, ApproveVersion(version_id=version))
    await do(app, PublishVersion(version_id=version))
    with pytest.raises(RevisionBreaksError, match="has 1 break") as broken:
        await do(app, ReviseVersion(version_id=version, document=BREAKING))
    assert broken.value.about == "document"
    (event,) = (await do(app, ReviseVersion(version_id=version, document=MORE))).outcome.events
    assert isinstance(event, ApiVersion.Revised)
    assert (event.revision, event.gate and event.gate.infos) == (3, 1)
    later = await draft(app, pets, "1.0.1", MORE)
    gate = gate_in(await do(app, PublishVersion(version_id=later)))
    assert (gate.follows_sha256, gate.infos) == (event.contract_sha256, 0)
