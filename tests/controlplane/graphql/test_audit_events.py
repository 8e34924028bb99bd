import orjson

from tests.controlplane.graphql.portal import Portal
from tests.given import AT

LIST = """query ($noun: String, $id: ID, $actor: String, $event: String, $from: DateTime,
    $until: DateTime, $since: Position, $newest: Boolean = false) {
  auditEvents(noun: $noun, nounId: $id, actor: $actor, event: $event, fromTime: $from,
    untilTime: $until, since: $since, newestFirst: $newest, first: 100) {
    nodes { id position at noun nounId nounVersion event actor data
      why { actor actorKind channel command correlation causation reason } } } }"""


async def test_auditors_find_what_happened_to_whom_by_whom_and_when(shop: Portal) -> None:
    async def events(**filters: object) -> list[str]:
        found = (await shop.ask("auditor", LIST, **filters))["auditEvents"]["nodes"]
        return [each["event"] for each in found]

    everything = (await shop.ask("auditor", LIST))["auditEvents"]["nodes"]
    assert len(everything) > 30
    positions = [int(each["position"].split(".")[1]) for each in everything]
    assert positions == sorted(positions)
    product = ["api_product.defined", "api_product.published"]
    assert await events(noun="api_product") == product * 2
    assert await events(id=shop.ids["product"]) == product
    uuid = next(each["nounId"] for each in everything if each["noun"] == "team")
    assert await events(id=uuid) == ["team.formed"]
    assert await events(event="api_product.published") == product[1:] * 2
    manager = next(each["actor"] for each in everything if each["event"] == "plan.defined")
    assert len(await events(actor=manager, noun="plan")) == 6
    assert len(await events(since=everything[-2]["position"])) == 1
    assert len(await events(**{"from": AT.isoformat()})) == len(everything)
    assert await events(until=AT.isoformat()) == []
    newest = (await shop.ask("auditor", LIST, newest=True))["auditEvents"]["nodes"]
    assert newest == everything[::-1]
    node = "query ($id: ID!) { node(id: $id) { ... on AuditEvent { position } } }"
    found = await shop.ask("auditor", node, id=everything[0]["id"])
    assert found["node"] == {"position": everything[0]["position"]}
    refused: tuple[tuple[dict[str, object], str], ...] = (
        ({"id": "x"}, "INVALID_ARGUMENT"),
        ({"since": "99999.1"}, "ANOTHER_EPOCH"),
        ({"noun": "a\0"}, "INVALID_ARGUMENT"),
    )
    for filters, code in refused:
        error = await shop.error("auditor", LIST, **filters)
        assert error["extensions"]["code"] == code
    for name, value in (
        ("since", "1"),
        ("since", 7),
        ("from", "2026-01-01T00:00:00"),
        ("from", "x"),
    ):
        assert "data" not in await shop.answer("auditor", LIST, **{name: value})


async def test_an_event_tells_who_caused_it_and_why(portal: Portal) -> None:
    await portal.done("owner", "formTeam", name="new", reason="they asked")
    await portal.seen()
    (*_, event) = (await portal.ask("owner", LIST, noun="team"))["auditEvents"]["nodes"]
    assert event["data"] == {"name": "new"}
    why = event["why"]
    assert (why["reason"], why["actorKind"], why["channel"]) == ("they asked", "token", "api")
    assert why["actor"] == event["actor"]


async def test_persons_stay_sealed_and_large_values_are_told_by_their_size(portal: Portal) -> None:
    made = await portal.done("owner", "formTeam", name="new")
    await portal.done(
        "owner", "registerDeveloper", teamId=made["id"], name="Ada Lovelace", mail="ada@example.com"
    )
    paths: dict[str, object] = {f"/p{nth}": {"get": {"responses": {}}} for nth in range(2_500)}
    document = {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": paths}
    product = await portal.done("owner", "defineProduct", slug="x", name="x")
    for number, times in (("1.0.0", 300), ("2.0.0", 2_500)):
        wanted = {**document, "paths": dict(list(paths.items())[:times])}
        await portal.done(
            "owner",
            "defineVersion",
            productId=product["id"],
            number=number,
            document=orjson.dumps(wanted).decode(),
        )
    await portal.seen()
    answer = await portal.ask("owner", LIST, event="developer.registered")
    (developer,) = answer["auditEvents"]["nodes"]
    assert "lovelace" not in str(developer).lower()
    assert "example.com" not in str(developer)
    assert developer["data"]["name"].keys() == {"person", "box"}
    answer = await portal.ask("owner", LIST, noun="api_version")
    small, large = answer["auditEvents"]["nodes"]
    assert small["data"]["operations"].keys() == {"truncated_bytes"}
    assert small["data"]["number"] == "1.0.0"
    assert large["why"]["channel"] == "api"
    assert large["data"].keys() == {"truncated_bytes"}
