"""What callers are told by a gateway that answers in place of the API: RFC 9457, of each vendor.

The same refusal has the same status, title and detail everywhere; who reads it is the developer
whose call it was.
"""

from dataclasses import dataclass

import orjson

from controlplane.gateway.renderers import KEY_HEADER

CONTENT_TYPE = "application/problem+json"
CHALLENGE = f'ApiKey header="{KEY_HEADER}"'
"""The WWW-Authenticate of a 401."""


@dataclass(frozen=True)
class Problem:
    """One refusal: no text of it has a quote, a percent sign or a brace."""

    status: int
    title: str
    detail: str
    """What to do next."""

    @property
    def body(self) -> str:
        """Return it as a caller reads it."""
        return orjson.dumps(vars(self)).decode()


MALFORMED = Problem(
    400,
    "The request is malformed, or its path is ambiguous.",
    "Send valid HTTP, with a path without escaped slashes, backslashes, and the segments . and ..",
)
DOCUMENT_UNREAD = Problem(
    400,
    "The gateway cannot tell which fields the call asks for, some of which the plan limits.",
    "Send one JSON object with query, a valid document of at most 32 KiB, and if it has several"
    " operations operationName; no batch, no persisted document, and no parameters in the URL.",
)
FIELDS_MANY = Problem(
    400,
    "The call asks for more at once than the plan allows.",
    "Ask in each call for at most ten of the fields that the plan limits, and for each of them not"
    " more often, under different names, than its limit has calls.",
)
KEY_MISSING = Problem(
    401,
    "The call shows no key.",
    f"Send a key of your subscription in the header {KEY_HEADER}, or a valid bearer token if the"
    " plan takes tokens.",
)
KEY_INVALID = Problem(
    401,
    "The key is not known, has ended or was revoked.",
    f"Compare what you send in the header {KEY_HEADER} with your key. If they are the same, look"
    " whether the key has ended and whether its subscription is suspended or over; then issue"
    " another key, or ask the provider of the API.",
)
NOT_INCLUDED = Problem(
    403,
    "Your subscription does not include this API.",
    "Subscribe to a plan that includes it, or show the key of a subscription that does. If yours"
    " does, this gateway cannot serve all of your plan: tell the provider of the API.",
)
NO_OPERATION = Problem(
    404,
    "There is no such operation.",
    "Compare the method and the path, with the version in it, with the documentation of the API,"
    " and look whether that version is still in service.",
)
TOO_LARGE = Problem(
    413,
    "The call is too large to tell which fields it asks for, some of which the plan limits.",
    "Send at most 128 KiB.",
)
NOT_JSON = Problem(
    415,
    "The gateway cannot tell which fields the call asks for, some of which the plan limits.",
    "Send it as application/json in UTF-8, without a Content-Encoding.",
)
RATE_LIMITED = Problem(
    429,
    "The rate limit of the plan is reached.",
    "Call again after as many seconds as Retry-After says, and spread calls out, or subscribe to a"
    " plan with a higher limit.",
)
OVER_QUOTA = Problem(
    429,
    "The quota of the period is used up.",
    "Call again after as many seconds as Retry-After says, when the next period begins, or"
    " subscribe to a plan with a larger quota.",
)
UNDECIDED = Problem(
    500,
    "The gateway could not tell whose call it is.",
    "Call again; tell the provider of the API if it happens again.",
)
BAD_ANSWER = Problem(
    502,
    "The gateway did not understand what the API answered.",
    "Call again later if that does no harm; tell the provider of the API if it happens again.",
)
UNAVAILABLE = Problem(
    503,
    "The API cannot be reached.",
    "Call again later, with growing pauses.",
)
LATE = Problem(
    504,
    "The API did not answer in time.",
    "It may have done what you asked for. Call again later if that does no harm.",
)
BY_THEMSELVES = (MALFORMED, BAD_ANSWER, UNAVAILABLE, LATE)
"""What a gateway refuses without being told to."""
