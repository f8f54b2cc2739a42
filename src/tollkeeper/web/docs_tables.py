"""The words of the docs portal's tables: what each refusal means, and what each ending costs."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tollkeeper.core.charges import TABLE, Outcome, Rule


class Error(NamedTuple):
    """A code of the gate. ``retry`` says whether the same call may succeed later by itself."""

    status: int
    code: str
    meaning: Promise
    remedy: Promise
    retry: bool = False


ERRORS: tuple[Error, ...] = (
    Error(
        400,
        "malformed_request",
        _("The request breaks the rules of HTTP/1.1."),
        _("Use an up-to-date HTTP library."),
    ),
    Error(
        400,
        "ambiguous_path",
        _("The path has dot segments, empty segments or encoded slashes."),
        _("Write the path as it is documented."),
    ),
    Error(
        400,
        "bad_chunk",
        _("The chunked framing of the body is broken."),
        _("Use an up-to-date HTTP library."),
    ),
    Error(
        400,
        "bad_body",
        _("The body is not what this call takes."),
        _("Compare it with the example of the call."),
    ),
    Error(401, "key_missing", _("No key was sent."), _("Send it as `Authorization: Bearer …`.")),
    Error(
        401,
        "key_malformed",
        _("The text is not one of our keys; its checksum is wrong."),
        _("Look for missing or extra characters."),
    ),
    Error(
        401, "key_unknown", _("There is no such key."), _("Compare it with the console, or make a new one.")
    ),
    Error(401, "key_revoked", _("This key was revoked."), _("Make a new one in the console.")),
    Error(401, "key_expired", _("This key has expired."), _("Make a new one in the console.")),
    Error(
        402,
        "quota_spent",
        _("Your units are used up."),
        _("Buy a pack, change the plan, or wait for the next period."),
    ),
    Error(403, "key_suspended", _("This key is suspended; `reason` says why."), _("See your console.")),
    Error(403, "shop_suspended", _("Nothing is sold at the moment."), _("See the status page.")),
    Error(
        403,
        "route_not_allowed",
        _("Your plan or this key does not include the call."),
        _("Use another key, or change the plan."),
    ),
    Error(
        403,
        "model_not_allowed",
        _("Your plan or this key does not include the model."),
        _("Use another key, or change the plan."),
    ),
    Error(
        403,
        "address_not_allowed",
        _("This key may not be used from your network."),
        _("Change the key's networks in the console."),
    ),
    Error(404, "no_route", _("There is no such path."), _("Compare it with these pages.")),
    Error(404, "model_unknown", _("There is no such model."), _("`GET /v1/models` lists those of your key.")),
    Error(
        405,
        "method_not_allowed",
        _("The path takes other methods; `Allow` names them."),
        _("Use one of those."),
    ),
    Error(
        408,
        "request_too_slow",
        _("The request did not arrive in time."),
        _("Send it faster, or try again."),
        True,
    ),
    Error(
        411, "length_required", _("The body has no length."), _("Send `Content-Length` or a chunked body.")
    ),
    Error(413, "body_too_large", _("The body is larger than allowed."), _("Send less at a time.")),
    Error(
        415, "encoding_not_supported", _("The body is compressed."), _("Send it without a content coding.")
    ),
    Error(417, "expectation_failed", _("Only `100-continue` can be expected."), _("Leave the header out.")),
    Error(
        429,
        "rate_limited",
        _("A speed limit of your plan is reached; nothing was charged."),
        _("Wait `Retry-After` seconds."),
        True,
    ),
    Error(
        429,
        "too_many_in_flight",
        _("Too many of your calls run at once; nothing was charged."),
        _("Wait until one has ended."),
        True,
    ),
    Error(431, "head_too_large", _("The headers exceed 32 KiB."), _("Send fewer or shorter headers.")),
    Error(
        502,
        "upstream_bad",
        _("The API behind the gate gave no usable answer; nothing was charged."),
        _("Try again shortly."),
        True,
    ),
    Error(
        502,
        "upstream_unreachable",
        _("The API behind the gate cannot be reached; nothing was charged."),
        _("Try again shortly."),
        True,
    ),
    Error(503, "book_unreachable", _("Your balance cannot be looked up."), _("Try again shortly."), True),
    Error(
        503,
        "upstream_down",
        _("The API behind the gate cannot be reached; nothing was charged."),
        _("Try again shortly."),
        True,
    ),
    Error(503, "not_ready", _("The gate is starting."), _("Try again shortly."), True),
    Error(503, "overloaded", _("Too many connections."), _("Try again shortly."), True),
    Error(
        504,
        "upstream_slow",
        _("The API behind the gate did not answer in time; nothing was charged."),
        _("Try again, or ask for less."),
        True,
    ),
)

ENDINGS: dict[Outcome, Promise] = {
    Outcome.OK: _("A whole answer below 400"),
    Outcome.CACHED: _("A whole answer from the upstream's cache"),
    Outcome.EMPTY: _("A whole answer without any contents"),
    Outcome.NOT_MODIFIED: _("An answer that what you have is still right (304)"),
    Outcome.CLIENT_ERROR: _("An answer from 400 to 499"),
    Outcome.SERVER_ERROR: _("An answer of 500 or more"),
    Outcome.UNREACHABLE: _("No answer: the API behind the gate cannot be reached"),
    Outcome.TIMED_OUT: _("No answer in time"),
    Outcome.UPSTREAM_CUT: _("The answer broke off on our side"),
    Outcome.FAILED_STREAM: _("A stream that ended with an error"),
    Outcome.CLIENT_LEFT_BEFORE: _("You went away before the answer began"),
    Outcome.CLIENT_LEFT_DURING: _("You went away in the middle of the answer"),
    Outcome.BAD_REQUEST: _("Your body broke the rules while it was sent"),
    Outcome.KILLED: _("The gate itself died during the call"),
}

RULES: dict[Rule, Promise] = {
    Rule.COUNTED: _("full cost"),
    Rule.SEEN: _("what had come until then"),
    Rule.NOTHING: _("nothing"),
}

PROTOCOLS: dict[str, Promise] = {
    "rest": _("Calls"),
    "openai": _("OpenAI-compatible"),
    "anthropic": _("Anthropic-compatible"),
}


def charges(protocols: tuple[str, ...]) -> tuple[tuple[Promise, tuple[tuple[Rule, Promise], ...]], ...]:
    """The charge table as it is in force: one line per ending, one cell per protocol in use."""
    return tuple(
        (text, tuple((TABLE[name][outcome], RULES[TABLE[name][outcome]]) for name in protocols))
        for outcome, text in ENDINGS.items()
    )
