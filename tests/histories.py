"""Events at random: any event with any values, and histories that the aggregates let happen."""

import random
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict
from uuid import UUID

import hypothesis.strategies as st

from domain.access_token import AccessToken, Role
from domain.aggregate import Aggregate, DomainError, Value, Why
from domain.api_product import ApiProduct, ProductState
from domain.api_version import ApiVersion, Upstream
from domain.application import Application
from domain.audience import Visibility
from domain.contract.gate import GateResult
from domain.contract.read import read_contract
from domain.contract_policy import ContractPolicy
from domain.developer import Developer, TeamRole
from domain.gateway import Gateway
from domain.gateway_group import GatewayGroup
from domain.invitation import Invitation
from domain.organization import Organization
from domain.page import Page
from domain.plan import Plan
from domain.plan_life import PlanState
from domain.plan_terms import Auth, PlanTerms, Quota, RateLimit
from domain.price import Price
from domain.release_line import ReleaseLine
from domain.reservation import Reservation
from domain.sealed import Sealed
from domain.subscription import Subscription
from domain.team import Team
from domain.version_life import VersionState
from projections.readmodel import Recorded
from tests.given import ACE, AT, BAD, PETSTORE, PETSTORE_TESTED, WHY
from tests.moves import MOVES, OVER

_SCALARS: dict[object, st.SearchStrategy[Any]] = {
    str: st.text(),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),  # as PostgreSQL's bigint
    UUID: st.uuids(),
    Decimal: st.decimals(allow_nan=False),  # NaN equals nothing, not even itself
    datetime: st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(fold=0)),
}


def any_value(hint: Any) -> st.SearchStrategy[Any]:  # any annotation
    """Return everything that a field with this annotation may hold."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    if is_typeddict(hint):
        names = get_type_hints(hint)
        return st.fixed_dictionaries({name: any_value(kind) for name, kind in names.items()})
    if get_origin(hint) is list:
        return st.lists(any_value(get_args(hint)[0]), max_size=3)
    if get_origin(hint) is UnionType:
        return st.one_of([st.none() if k is type(None) else any_value(k) for k in get_args(hint)])
    assert issubclass(hint, Value), hint
    return any_event(hint)


def any_event(kind: type, **known: object) -> st.SearchStrategy[Any]:
    """Return every event (or value) of a class; `known` fields are not left to chance."""
    chosen = {name: st.just(value) for name, value in known.items()}
    return st.builds(kind, **_any_fields(kind) | chosen)


@cache  # bounded by the number of events and values; to make strategies takes most of the time
def _any_fields(kind: type) -> dict[str, st.SearchStrategy[Any]]:
    hints = {**get_type_hints(kind), "originator_id": UUID}  # a type variable of the library's
    return {field.name: any_value(hints[field.name]) for field in fields(kind)}


ORGANIZATION = 9
TERMS = (
    PlanTerms(None, None, None, "AUTOMATIC"),
    PlanTerms(RateLimit(100, 60, 0, "FIXED_WINDOW"), None, None, "MANUAL"),
    PlanTerms(None, Quota(10, "DAY"), Price("EUR", Decimal("9.90")), "MANUAL"),
    PlanTerms(None, None, None, "AUTOMATIC", auth=Auth("KEYLESS")),
)
CONTRACT = read_contract(PETSTORE)
POLICY = ContractPolicy(review_required=True)
GATE = GateResult(
    *(UUID(int=1), "1.0.0", "f" * 64, "e" * 64), 1, 2, 3, ignored=0, proposed="2.0.0", refused=True
)


class History:
    """What happened in two organizations: each step is one verb on one of a few things."""

    def __init__(self) -> None:
        self.events: list[Aggregate.Event] = []
        self._things: dict[tuple[int, UUID], Aggregate] = {}

    def step(self, noun: int, verb: int, which: int) -> None:
        """Begin something, or do the verb to one of its kind unless the aggregate refuses it."""
        organization = (ACE, BAD)[which % 2]
        why = Why(**{**WHY, "organization": str(organization), "actor": f"actor {which % 3}"})
        at = AT + timedelta(seconds=len(self.events))
        things = [
            thing
            for (kind, _), thing in self._things.items()
            # An organization belongs to itself.
            if kind == noun and (noun == ORGANIZATION or thing.organization == str(organization))
        ]
        if things and verb:
            thing = things[which // 2 % len(things)]
            why["organization"] = thing.organization
            try:
                self._change(thing, verb, at, why)
            except DomainError:
                return
            self._keep(noun, thing)
        else:
            self._keep(noun, self._begun(noun, which, at, why))

    def recorded(self) -> list[Recorded]:
        """Return the events with their positions."""
        return [Recorded(position, event) for position, event in enumerate(self.events, 1)]

    def _keep(self, noun: int, aggregate: Aggregate) -> None:
        self._things[noun, aggregate.id] = aggregate
        self.events += aggregate.happened
        aggregate.pending_events.clear()

    def _begun(self, noun: int, number: int, at: datetime, why: Why) -> Aggregate:
        id_, one, two = (UUID(int=n) for n in (len(self._things) + 1, number + 1, number + 2))
        label, slug = f"Name {number}", f"slug-{number}"
        sealed = Sealed(str(id_), "Ym94")
        makers: tuple[Callable[[], Aggregate], ...] = (
            lambda: ApiProduct.define(
                id_,
                slug=slug,
                name=label,
                description="",
                visibility=Visibility.PUBLIC,
                at=at,
                why=why,
            ),
            lambda: ApiVersion.define(
                id_,
                product_id=one,
                number=f"{number}.0.0",
                contract=replace(CONTRACT, operations=CONTRACT.operations[: number % 4]),
                contract_sha256="f" * 64,
                contract_bytes=number,
                upstreams=[Upstream("live", "https://pets.example")],
                at=at,
                why=why,
            ),
            lambda: Plan.define(id_, slug=slug, name=label, product_ids=[one, two], at=at, why=why),
            lambda: Subscription.request(
                id_,
                application_id=one,
                team_id=two,
                plan_id=one,
                plan_version=number + 1,
                trial_days=number or None,
                comment=label,
                at=at,
                why=why,
            ),
            lambda: Application.register(id_, team_id=one, name=label, at=at, why=why),
            lambda: Team.form(id_, name=label, at=at, why=why),
            lambda: Developer.register(id_, team_id=one, name=sealed, mail=sealed, at=at, why=why),
            lambda: GatewayGroup.open(
                id_, slug=slug, environment="live", product_ids=[one][: number % 2], at=at, why=why
            ),
            lambda: Gateway.register(id_, group_id=one, name=label, at=at, why=why),
            lambda: Organization.establish(
                id_, slug=slug, name=label, at=at, why=Why(**{**why, "organization": str(id_)})
            ),
            lambda: Reservation.take(id_, kind="product", holder_id=one, at=at, why=why),
            lambda: Invitation.send(
                id_,
                team_id=one,
                developer_id=two,
                mail=sealed,
                role=TeamRole.MEMBER,
                sha256="f" * 64,
                expires_at=at + timedelta(days=1),
                at=at,
                why=why,
            ),
            lambda: AccessToken.issue(
                id_,
                name=label,
                role=Role.OWNER,
                sha256="f" * 64,
                team_id=None,
                gateway_id=None,
                expires_at=at + timedelta(days=1) if number % 2 else None,
                at=at,
                why=why,
            ),
            lambda: _page(id_, one, slug, at, why),
            lambda: ReleaseLine.open(id_, product_id=one, api="default", known=[], at=at, why=why),
        )
        return makers[noun]()

    def _change(  # noqa: C901, PLR0912  # one case a noun
        self, thing: Aggregate, verb: int, at: datetime, why: Why
    ) -> None:
        to_seven = 1 + verb % 7
        match thing:
            case ApiProduct():
                self._change_product(thing, to_seven, at, why)
            case ApiVersion():
                self._change_version(thing, to_seven, at, why)
            case Plan():
                self._change_plan(thing, to_seven, at, why)
            case Page():
                self._change_page(thing, to_seven, at, why)
            case AccessToken():
                thing.revoke(at=at, why=why)
            case Subscription():
                moves = MOVES.get(thing.state, OVER)
                moves[verb % len(moves)](thing, at, why)
            case Gateway():
                _change_gateway(thing, verb, at, why)
            case GatewayGroup():
                _change_group(thing, verb, at, why)
            case Developer() | Invitation():
                _change_person(thing, verb, at, why)
            case Team() | Application():
                thing.rename(f"Name {verb}", at=at, why=why)
            case ReleaseLine():
                thing.release(UUID(int=verb), f"{verb}.0.0", at=at, why=why)
            case Reservation():
                if verb % 2:
                    thing.release(at=at, why=why)
                else:
                    thing.reuse(UUID(int=verb), at=at, why=why)
            case Organization() if verb % 3 == 0:
                thing.adopt_contract_policy(POLICY, frozenset(), at=at, why=why)
            case Organization() if verb % 2:
                thing.open_registration(at=at, why=why)
            case Organization():
                thing.close_registration(at=at, why=why)

    def _change_product(self, thing: ApiProduct, verb: int, at: datetime, why: Why) -> None:
        nth = len(self.events)
        everyone, team = Visibility.PUBLIC, Visibility.TEAMS
        described: tuple[Callable[[], None], ...] = (
            lambda: thing.tag([f"tag-{nth}"], at=at, why=why),
            lambda: thing.name_owner(f"Unit {nth}", at=at, why=why),
            lambda: thing.describe(name=f"Name {nth}", description="x", at=at, why=why),
            lambda: thing.choose_audience(everyone, [], at=at, why=why),
            lambda: thing.choose_audience(team, [UUID(int=nth)], at=at, why=why),
            lambda: thing.adopt_contract_policy(POLICY, frozenset(), at=at, why=why),
        )
        if verb in {6, 7}:
            described[nth % len(described)]()
        elif verb > 1 and thing.state is ProductState.PUBLISHED:
            thing.deprecate(sunset_at=None, at=at, why=why)
        else:
            self._change_life(thing, verb, at, why)

    def _change_version(self, thing: ApiVersion, verb: int, at: datetime, why: Why) -> None:
        if verb == 7 and len(self.events) % 3 == 0:
            tested = replace(PETSTORE_TESTED, contract_sha256=thing.contract_sha256)
            thing.record_test(tested, at=at, why=why)
        elif verb in {6, 7}:
            (thing.unblock if thing.blocked else thing.block)(at=at, why=why)
        elif thing.state in {VersionState.DRAFT, VersionState.IN_REVIEW}:
            self._review_version(thing, verb, at, why)
        elif verb == 5 and thing.in_service:
            _revise(thing, at, why)
        elif verb == 4 and thing.state is VersionState.PUBLISHED:
            _move(thing, at, why)
        elif verb > 1 and thing.state is VersionState.PUBLISHED:
            thing.deprecate(sunset_at=None, successor=None, link="", at=at, why=why)
        else:
            self._change_life(thing, verb, at, why)

    def _review_version(self, thing: ApiVersion, verb: int, at: datetime, why: Why) -> None:
        reasoned = Why(**{**why, "reason": "urgent"})
        match verb:
            case 1 if thing.state is VersionState.DRAFT:
                thing.submit(GATE if len(self.events) % 2 else None, "please", at=at, why=why)
            case 1 if thing.approved:
                thing.request_changes("smaller", at=at, why=why)
            case 1:
                thing.approve("fine", four_eyes=False, at=at, why=why)
            case 2:
                thing.override_gate(GATE, at=at, why=reasoned)
            case 3:
                _revise(thing, at, why)
            case _:
                thing.publish(thing.reviewed, at=at, why=why)

    def _change_life(
        self, thing: ApiProduct | ApiVersion, verb: int, at: datetime, why: Why
    ) -> None:
        match thing.state.value, verb:
            case "DRAFT", _:
                thing.publish(at=at, why=why)
            case "PUBLISHED", _:
                thing.withdraw_publication(at=at, why=why)
            case "RETIRED", _:
                thing.reinstate(at=at, why=why)
            case _, 1:
                thing.withdraw_deprecation(at=at, why=why)
            case _, 2 | 3:
                thing.schedule_sunset(None, at=at, why=why)
            case _:
                thing.retire(at=at, why=why)

    def _change_plan(self, thing: Plan, verb: int, at: datetime, why: Why) -> None:
        nth = len(self.events)
        match verb:
            case 1 | 5:
                thing.draft_version(TERMS[nth % len(TERMS)], at=at, why=why)
            case 2 | 6:
                thing.publish_version(at=at, why=why)
            case 4 if nth % 2:
                thing.rename(f"Name {nth}", at=at, why=why)
            case 4:
                thing.choose_audience(Visibility.PRIVATE, [], at=at, why=why)
            case 7 if nth % 5 == 0:
                thing.close(at=at, why=why)
            case _ if thing.state is PlanState.DEPRECATED:
                thing.withdraw_deprecation(at=at, why=why)
            case _:
                thing.deprecate(at=at, why=why)

    def _change_page(self, thing: Page, verb: int, at: datetime, why: Why) -> None:
        match verb:
            case _ if thing.withdrawn:
                thing.restore(at=at, why=why)
            case 1 | 2:
                thing.withdraw(at=at, why=why)
            case _:
                thing.rewrite(title=f"Title {verb}", source="# New", at=at, why=why)


def _move(thing: ApiVersion, at: datetime, why: Why) -> None:
    """Have the calls of an environment go nowhere, or there again, or of one more somewhere."""
    if "live" in thing.upstreams:
        thing.withdraw_upstream("live", at=at, why=why)
    else:
        thing.choose_upstream("live", f"https://{thing.version}.example", at=at, why=why)


def _revise(thing: ApiVersion, at: datetime, why: Why) -> None:
    nth = thing.version
    corrected = replace(CONTRACT, operations=CONTRACT.operations[nth % 3 :])
    digest = f"{nth:064}"
    thing.revise(corrected, None, contract_sha256=digest, contract_bytes=nth, at=at, why=why)


def _change_person(thing: Developer | Invitation, verb: int, at: datetime, why: Why) -> None:
    match thing:
        case Invitation() if verb == 4:
            thing.expire(at=at + timedelta(days=1), why=why)
        case Invitation():
            (thing.accept if verb % 2 else thing.revoke)(at=at, why=why)
        case Developer() if verb == 1:
            thing.leave(at=at, why=why)
        case Developer() if verb == 2:
            thing.remove(at=at, why=why)
        case Developer() if verb == 3:
            thing.forget(at=at, why=why)
        case Developer() if verb % 2:
            thing.change_role(TeamRole.ADMIN, at=at, why=why)
        case Developer():
            thing.grant_tokens([UUID(int=verb)], at=at, why=why)


def _change_group(thing: GatewayGroup, verb: int, at: datetime, why: Why) -> None:
    match verb % 4:
        case 0:
            thing.confirm_epoch(verb, current=verb, at=at, why=why)
        case 1:
            thing.hold_back(UUID(int=1), position=verb, rows=9, of_rows=10, at=at, why=why)
        case 2:
            thing.release_config(at=at, why=why)
        case _:
            reasoned = Why(**{**why, "reason": "spring cleaning"})
            thing.intend_shrink(at + timedelta(days=1), at=at, why=reasoned)


def _change_gateway(thing: Gateway, verb: int, at: datetime, why: Why) -> None:
    if thing.drained:
        thing.reinstate(at=at, why=why)
    elif verb % 5 == 0:
        thing.drain(at=at, why=why)
    else:
        silent_since, cursor = (at if verb % 2 else None), ("1.1" if verb % 3 else None)
        thing.note(
            silent_since=silent_since, diverged_at=cursor, content_hash="a" * 64, at=at, why=why
        )


def _page(id_: UUID, product_id: UUID, slug: str, at: datetime, why: Why) -> Page:
    return Page.write(
        id_, product_id=product_id, slug=slug, title=slug, source="# Old", at=at, why=why
    )


def _told(steps: list[tuple[int, int, int]]) -> list[Recorded]:
    history = History()
    for noun, verb, which in steps:
        history.step(noun, verb, which)
    return history.recorded()


_NOUNS = [*range(15), 8, 8, 13, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 6, 6, 11]
"""Those with longer lives more often."""
VERBS, WHICH = 15, 40
_STEP = st.tuples(st.sampled_from(_NOUNS), st.integers(0, VERBS), st.integers(0, WHICH))


def drawn(chosen: random.Random) -> list[Recorded]:
    """Return one of the histories below, drawn evenly: Hypothesis prefers what is simple."""
    draw = chosen.randint
    return _told([(chosen.choice(_NOUNS), draw(0, VERBS), draw(0, WHICH)) for _ in range(80)])


HISTORIES: st.SearchStrategy[list[Recorded]] = st.lists(_STEP, min_size=25, max_size=80).map(_told)
"""Histories of 25 to 80 verbs, in the order of their positions."""
