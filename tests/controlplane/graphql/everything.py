"""Every operation of the portal's schema, and who may have it: one line each.

A new field of Query, a new mutation, a new field with arguments: add its line below, or
test_tenancy_of_everything fails and says so. `$name` stands for an id of the shop: those that
Portal.sell returns, and what `shop` of the test adds.

    "publishProduct": Verb('{productId: $draft}', by=MANAGERS),
    "product": Look('{ product(id: $inner) { id } }', sees=CATALOGUE),

A Verb is tried as a dry run. Whoever is in `by` succeeds; but the outsiders among them (a
developer of another team, the owner of another organization, an operator) are refused as
NOT_FOUND, unless it is `free` for them: it names nothing of anybody's. All others are refused as
NOT_PERMITTED.

A Look names who gets something of the shop (`sees`), and who is told NOT_PERMITTED (`refused`);
all others get null or nothing. Whoever it is, what HIDDEN says is never in an answer.

What cannot be asked like that is covered Elsewhere: name the file and the test.
"""

from typing import NamedTuple

EVERYBODY = frozenset(
    {
        *("owner", "manager", "auditor", "developer", "administrator", "rival"),
        *("stranger", "operator", "gateway", "anonymous"),
    }
)
"""`developer` is a token of the team, `administrator` a person who administers it.

`rival` is a developer of another team, `stranger` the owner of another organization.
"""
OWNERS = frozenset({"owner", "stranger"})
MANAGERS = OWNERS | {"manager"}
DEVELOPERS = frozenset({"developer", "administrator", "rival"})
CONSUMERS = OWNERS | DEVELOPERS
ADMINISTRATORS = MANAGERS | {"administrator", "rival"}
"""Who manages a team: `rival` too gets as far as not finding it."""
OPERATORS = frozenset({"operator"})

PROVIDER = frozenset({"owner", "manager", "auditor"})
TEAM = PROVIDER | {"developer", "administrator"}
CATALOGUE = TEAM | {"rival"}
"""Who sees what is published and private."""
OUTSIDE = frozenset({"operator", "gateway", "anonymous"})
"""Who sees of an organization no more than what is public."""

TEAM_ONLY = frozenset(
    {
        *("team", "team_application", "team_subscription", "suspended", "due", "credential"),
        *("person", "administrator", "leaver", "invitation"),
    }
)
RIVALS_ONLY = frozenset({"other_team", "other_team_application", "other_team_subscription"})
INTERNAL = frozenset(
    {
        "group",
        "gateway",
        "token",
        "draft",
        "draft_version",
        "drafted",
        "invited",
        "submitted_version",
    }
)
PRIVATE = frozenset({"inner", "inner_version", "secret"})
PUBLIC = frozenset({"product", "product_version", "free", "automatic"})
HIDDEN = {
    "developer": RIVALS_ONLY | INTERNAL,
    "administrator": RIVALS_ONLY | INTERNAL,
    "rival": TEAM_ONLY | INTERNAL,
    "stranger": TEAM_ONLY | RIVALS_ONLY | INTERNAL | PRIVATE | PUBLIC,
    **dict.fromkeys(OUTSIDE, TEAM_ONLY | RIVALS_ONLY | INTERNAL | PRIVATE),
}
"""What nobody but the others ever sees; an operator's and a gateway's own are in their tests."""


class Verb(NamedTuple):
    """A mutation: its input, who may give it, and for whom it names nothing of anybody's."""

    input: str
    by: frozenset[str]
    free: frozenset[str] = frozenset()


class Look(NamedTuple):
    """A field to read: the query, who gets something, who is told that it is not permitted."""

    query: str
    sees: frozenset[str]
    refused: frozenset[str] = frozenset()


class Elsewhere(NamedTuple):
    """What another test covers."""

    file: str
    test: str


CONTRACTS = (
    "tests/controlplane/graphql/test_contracts.py",
    "test_whom_a_version_hurts_is_told_to_its_provider_alone",
)
PERMISSIONS = (
    "tests/controlplane/commands/test_permissions.py",
    "test_a_role_gives_the_commands_it_may_give_and_no_other",
)
"""What is about a state that the shop has nothing in: the same table for commands."""

VERBS: dict[str, Verb | Elsewhere] = {
    "acceptInvitation": Verb('{token: $invited, name: "n"}', EVERYBODY, free=EVERYBODY),
    "acceptSubscription": Verb("{subscriptionId: $other_team_subscription}", MANAGERS),
    "acceptTerms": Verb('{subscriptionId: $team_subscription, termsRevision: "n"}', CONSUMERS),
    "cancelSubscription": Verb("{subscriptionId: $team_subscription}", MANAGERS | CONSUMERS),
    "changeTeamRole": Verb("{developerId: $person, role: ADMIN}", ADMINISTRATORS),
    "closeRegistration": Verb('{reason: "n"}', OWNERS, free=OWNERS),
    "confirmEpoch": Verb("{groupId: $group, epoch: 1}", OWNERS),
    "intendConfigShrink": Elsewhere(*PERMISSIONS),
    "releaseConfig": Elsewhere(*PERMISSIONS),
    "definePlan": Verb('{slug: "n", name: "n", productIds: [$inner]}', MANAGERS),
    "defineProduct": Verb('{slug: "n", name: "n"}', MANAGERS, free=MANAGERS),
    "defineVersion": Verb(
        '{productId: $product, number: "9.0.0", document: "type Query { a: Int }"}', MANAGERS
    ),
    "draftPlanVersion": Verb("{planId: $free, terms: {}}", MANAGERS),
    "drainGateway": Verb("{gatewayId: $gateway}", OWNERS),
    "establishOrganization": Verb('{slug: "n", name: "n"}', OPERATORS),
    "expireSubscription": Verb("{subscriptionId: $due}", MANAGERS),
    "forgetPerson": Verb("{developerId: $administrator}", OWNERS | {"administrator", "rival"}),
    "formTeam": Verb('{name: "n"}', MANAGERS, free=MANAGERS),
    "importCredential": Verb(
        '{subscriptionId: $team_subscription, algorithm: SHA256_HEX, digest: "' + "a" * 64 + '"}',
        OWNERS,
    ),
    "inviteDeveloper": Verb('{teamId: $team, mail: "n@example.com"}', ADMINISTRATORS),
    "issueCredential": Verb("{subscriptionId: $team_subscription}", CONSUMERS),
    "issueToken": Verb('{name: "n", role: DEVELOPER, teamId: $team}', OWNERS),
    "leaveTeam": Verb('{reason: "n"}', frozenset({"administrator"})),
    "openGatewayGroup": Verb('{slug: "n", environment: "live", productIds: [$product]}', OWNERS),
    "openRegistration": Elsewhere(*PERMISSIONS),
    "publishPlanVersion": Verb("{planId: $drafted}", MANAGERS),
    "publishProduct": Verb("{productId: $draft}", MANAGERS),
    "approveVersion": Verb("{versionId: $submitted_version}", MANAGERS),
    "overrideGate": Elsewhere(*PERMISSIONS),
    "requestChanges": Verb('{versionId: $submitted_version, comment: "n"}', MANAGERS),
    "setContractPolicy": Verb("{productId: $product, reviewRequired: true}", OWNERS),
    "reviseVersion": Verb(
        '{versionId: $draft_version, document: "type Query { a: Int }"}', MANAGERS
    ),
    "chooseUpstream": Verb(
        '{versionId: $draft_version, environment: "live", url: "https://n.example"}', MANAGERS
    ),
    "withdrawUpstream": Verb('{versionId: $product_version, environment: "production"}', MANAGERS),
    "submitVersion": Verb("{versionId: $draft_version}", MANAGERS),
    "publishVersion": Verb("{versionId: $draft_version}", MANAGERS),
    "registerApplication": Verb('{teamId: $team, name: "n"}', CONSUMERS),
    "registerDeveloper": Verb('{teamId: $team, name: "n", mail: "n@example.com"}', MANAGERS),
    "registerGateway": Verb('{groupId: $group, name: "n"}', OWNERS),
    "registerSelf": Verb(
        '{organization: "ace", teamName: "n", name: "n", mail: "n@example.com"}',
        EVERYBODY,
        free=EVERYBODY,
    ),
    "reinstateSubscription": Verb("{subscriptionId: $due}", MANAGERS),
    "rejectSubscription": Verb("{subscriptionId: $other_team_subscription}", MANAGERS),
    "removeDeveloper": Verb("{developerId: $person}", ADMINISTRATORS),
    "renameApplication": Verb('{applicationId: $team_application, name: "n"}', CONSUMERS),
    "renameTeam": Verb('{teamId: $team, name: "n"}', ADMINISTRATORS),
    "renewToken": Verb('{reason: "n"}', frozenset({"administrator"})),
    "requestSubscription": Verb("{applicationId: $team_application, planId: $free}", CONSUMERS),
    "resumeSubscription": Verb("{subscriptionId: $suspended}", MANAGERS),
    "revokeCredential": Verb("{credentialId: $credential}", CONSUMERS),
    "revokeInvitation": Verb("{invitationId: $invitation}", ADMINISTRATORS),
    "revokeToken": Verb("{tokenId: $token}", OWNERS | OPERATORS),
    "rotateCredential": Verb("{credentialId: $credential, overlapS: 60}", CONSUMERS),
    "scheduleSubscriptionExpiry": Verb("{subscriptionId: $team_subscription}", MANAGERS),
    "suspendSubscription": Verb('{subscriptionId: $team_subscription, reason: "n"}', MANAGERS),
    "transferSubscription": Verb(
        "{subscriptionId: $team_subscription, planId: $automatic}", MANAGERS | CONSUMERS
    ),
    "blockVersion": Verb("{versionId: $inner_version}", OPERATORS),
    "choosePlanAudience": Verb("{planId: $free, visibility: TEAMS, teamIds: [$team]}", MANAGERS),
    "chooseProductAudience": Verb(
        "{productId: $product, visibility: TEAMS, teamIds: [$team]}", MANAGERS
    ),
    "closePlan": Verb("{planId: $free}", MANAGERS),
    "deprecatePlan": Verb("{planId: $free}", MANAGERS),
    "deprecateProduct": Verb("{productId: $product}", MANAGERS),
    "deprecateVersion": Verb(
        "{versionId: $product_version, successorId: $draft_version}", MANAGERS
    ),
    "describeProduct": Verb('{productId: $product, name: "n", description: "d"}', MANAGERS),
    "nameProductOwner": Verb('{productId: $product, owner: "n"}', MANAGERS),
    "reinstateGateway": Elsewhere(*PERMISSIONS),
    "reinstateProduct": Elsewhere(*PERMISSIONS),
    "reinstateVersion": Elsewhere(*PERMISSIONS),
    "renamePlan": Verb('{planId: $free, name: "n"}', MANAGERS),
    "restorePage": Elsewhere(*PERMISSIONS),
    "retireProduct": Elsewhere(*PERMISSIONS),
    "retireVersion": Elsewhere(*PERMISSIONS),
    "rewritePage": Verb('{pageId: $page, title: "n", source: "n"}', MANAGERS),
    "scheduleProductSunset": Elsewhere(*PERMISSIONS),
    "scheduleVersionSunset": Elsewhere(*PERMISSIONS),
    "tagProduct": Verb('{productId: $product, tags: ["n"]}', MANAGERS),
    "unblockVersion": Elsewhere(*PERMISSIONS),
    "withdrawPage": Verb("{pageId: $page}", MANAGERS),
    "withdrawPlanDeprecation": Elsewhere(*PERMISSIONS),
    "withdrawProduct": Verb("{productId: $product}", MANAGERS),
    "withdrawProductDeprecation": Elsewhere(*PERMISSIONS),
    "withdrawVersion": Verb("{versionId: $product_version}", MANAGERS),
    "withdrawVersionDeprecation": Elsewhere(*PERMISSIONS),
    "writePage": Verb('{productId: $product, slug: "n", title: "n", source: "n"}', MANAGERS),
}

READS: dict[str, Look | Elsewhere] = {
    "accessTokens": Look(
        "{ accessTokens { nodes { id } } }",
        frozenset({"owner"}),
        DEVELOPERS | {"manager", "auditor", "gateway", "anonymous"},
    ),
    "applications": Look("{ applications { nodes { id } } }", CATALOGUE, OUTSIDE),
    "auditEvents": Look(
        "{ auditEvents(first: 100) { nodes { id nounId } } }",
        frozenset({"owner", "auditor"}),
        DEVELOPERS | OUTSIDE | {"manager"},
    ),
    "contractDiff": Look(
        "{ contractDiff(to: $inner_version, from: $inner_version) { now { id } } }",
        CATALOGUE,
        OUTSIDE,
    ),
    "contractPolicy": Look("{ contractPolicy(product: $inner) { fourEyes } }", frozenset()),
    "impactOf": Elsewhere(
        "tests/controlplane/graphql/test_contracts.py",
        "test_whom_a_version_hurts_is_told_to_its_provider_alone",
    ),
    "lint": Elsewhere(
        "tests/controlplane/graphql/test_contracts.py",
        "test_a_contract_is_linted_for_its_provider_alone",
    ),
    "credential": Elsewhere(
        "tests/controlplane/graphql/test_credential_name.py",
        "test_a_key_is_found_by_the_name_in_it_by_those_who_see_its_subscription",
    ),
    "credentialRights": Look(
        "{ credentialRights(credentialId: $credential) { credential { id } } }", TEAM, OUTSIDE
    ),
    "enforcedAt": Look(
        '{ enforcedAt(gatewayId: $gateway, credentialId: $credential, at: "2026-01-01T00:00:00Z")'
        " { gateway { id } credential { id } } }",
        PROVIDER,
        OUTSIDE | DEVELOPERS,
    ),
    "explainLimits": Look(
        "{ explainLimits(subscription: $team_subscription) { position rateLimit { windowS } } }",
        frozenset(),
    ),
    "gatewayConfig": Look(
        "{ gatewayConfig(groupId: $group) { document } }",
        PROVIDER,
        OUTSIDE | DEVELOPERS,
    ),
    "gatewayGroups": Look("{ gatewayGroups { nodes { id } } }", PROVIDER, OUTSIDE | DEVELOPERS),
    "gateways": Look("{ gateways { nodes { id } } }", PROVIDER, OUTSIDE | DEVELOPERS),
    "invitations": Look("{ invitations { nodes { id } } }", TEAM, OUTSIDE),
    "node": Look("{ node(id: $team_subscription) { id } }", TEAM),
    "organizations": Look("{ organizations { nodes { id } } }", OPERATORS, EVERYBODY - OPERATORS),
    "plan": Look("{ plan(id: $secret) { id } }", CATALOGUE),
    "plans": Look("{ plans { nodes { id } } }", CATALOGUE | OUTSIDE),
    "product": Look("{ product(id: $inner) { id } }", CATALOGUE),
    "products": Look("{ products { nodes { id } } }", CATALOGUE | OUTSIDE),
    "search": Look(
        '{ search(query: "pageful") { nodes { item { ... on Page { id } } } } }', CATALOGUE
    ),
    "subscription": Look("{ subscription(id: $team_subscription) { id } }", TEAM),
    "subscriptions": Look("{ subscriptions { nodes { id } } }", CATALOGUE, OUTSIDE),
    "teams": Look("{ teams { nodes { id } } }", CATALOGUE, OUTSIDE),
    "viewer": Look("{ viewer { team { id } } }", DEVELOPERS),
}

FIELDS: dict[str, Look | Elsewhere] = {
    "ApiProduct.pages": Look("{ product(id: $inner) { pages { nodes { id } } } }", CATALOGUE),
    "ApiProduct.plans": Look("{ product(id: $inner) { plans { nodes { id } } } }", CATALOGUE),
    "ApiProduct.versions": Look("{ product(id: $inner) { versions { nodes { id } } } }", CATALOGUE),
    "ApiVersion.operations": Look(
        "{ node(id: $inner_version) { ... on ApiVersion { operations { nodes { id } } } } }",
        CATALOGUE,
    ),
    "ApiVersion.revisions": Look(
        "{ node(id: $inner_version) { id ... on ApiVersion { revisions { nodes { id } } } } }",
        CATALOGUE,
    ),
    "ApiVersion.review": Look(
        "{ node(id: $submitted_version) { id ... on ApiVersion { review { nodes { id } } } } }",
        PROVIDER,
    ),
    "ContractFindings.changelog": Elsewhere(*CONTRACTS),
    "ContractFindings.findings": Elsewhere(*CONTRACTS),
    "ContractImpact.subscriptions": Elsewhere(*CONTRACTS),
    "Application.subscriptions": Look(
        "{ node(id: $team_application) { ... on Application { subscriptions { nodes { id } } } } }",
        TEAM,
    ),
    "Gateway.history": Look(
        "{ node(id: $gateway) { ... on Gateway { history { nodes { since } } } } }", frozenset()
    ),
    "GatewayGroup.propagation": Look(
        "{ node(id: $group) { id ... on GatewayGroup { propagation(lastS: 60) { changes } } } }",
        PROVIDER,
    ),
    "GatewayGroup.propagationOf": Look(
        "{ node(id: $group) { id ... on GatewayGroup {"
        ' propagationOf(position: "1.1") { delayMs } } } }',
        PROVIDER,
    ),
    "GatewayGroup.gateways": Look(
        "{ node(id: $group) { ... on GatewayGroup { gateways { nodes { id } } } } }", PROVIDER
    ),
    "GatewayGroup.products": Look(
        "{ node(id: $named_group) { ... on GatewayGroup { products { nodes { id } } } } }",
        PROVIDER,
    ),
    "Live.auditEvents": Elsewhere(
        "tests/controlplane/graphql/test_live.py",
        "test_only_who_may_read_the_trail_may_follow_it_and_only_in_this_epoch",
    ),
    "Live.productChanged": Elsewhere(
        "tests/controlplane/graphql/test_live.py",
        "test_a_product_is_told_to_those_who_see_it_when_it_or_a_version_changes",
    ),
    "Page.history": Look(
        "{ node(id: $page) { ... on Page { history { nodes { id } } } } }", CATALOGUE
    ),
    "Plan.products": Look("{ plan(id: $secret) { products { nodes { id } } } }", CATALOGUE),
    "Plan.subscriptions": Look(
        "{ plan(id: $free) { subscriptions { nodes { id } } } }", CATALOGUE, OUTSIDE
    ),
    "Plan.versions": Look("{ plan(id: $secret) { versions { nodes { id } } } }", CATALOGUE),
    "Subscription.credentials": Look(
        "{ subscription(id: $team_subscription) { credentials { nodes { id } } } }", TEAM
    ),
    "Team.applications": Look(
        "{ node(id: $team) { ... on Team { applications { nodes { id } } } } }", TEAM
    ),
    "Team.developers": Look(
        "{ node(id: $team) { ... on Team { developers { nodes { id } } } } }", TEAM
    ),
    "Team.invitations": Look(
        "{ node(id: $team) { ... on Team { invitations { nodes { id } } } } }", TEAM
    ),
}
"""Fields with arguments of all other types, and those of subscriptions as Live.name."""
