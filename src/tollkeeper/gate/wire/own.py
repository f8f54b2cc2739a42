"""What a customer's own program may ask the gate itself, with its key."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING

from tollkeeper.gate.answers import Answer, limits_body, plain, units
from tollkeeper.gate.directory import Key

if TYPE_CHECKING:
    from tollkeeper.gate.ledger import Standing
    from tollkeeper.gate.wire.client import Client
    from tollkeeper.gate.wire.engine import Engine

USAGE, LIMITS, MODELS = b"/v1/usage", b"/v1/limits", b"/v1/models"
SUBSCRIPTION, BILLED = b"/v1/dashboard/billing/subscription", b"/v1/dashboard/billing/usage"
CREDIT = b"/v1/dashboard/billing/credit_grants"
BILLING = (
    SUBSCRIPTION,
    BILLED,
    CREDIT,
    *[path.removeprefix(b"/v1") for path in (SUBSCRIPTION, BILLED, CREDIT)],
)


def own_paths(models: Sized) -> frozenset[bytes]:
    """The paths that the gate answers itself; those of language models only where there are some."""
    return frozenset((USAGE, LIMITS, MODELS, *BILLING) if len(models) else (USAGE, LIMITS))


def owns(paths: frozenset[bytes], path: bytes) -> bool:
    """True if the gate answers ``path``, which is as servers decode it: one of ``paths``, or a model's."""
    path = path.rstrip(b"/")
    return path in paths or (MODELS in paths and path.startswith(MODELS + b"/"))


def answer_own(engine: Engine, client: Client, method: bytes, path: bytes, credential: bytes | None) -> bool:
    """Answer a request to a path that the gate :func:`owns`."""
    if path not in (USAGE, LIMITS):
        client.protocol = "openai"
    if method not in (b"GET", b"HEAD"):
        client.answer(engine.refusal(client, "method_not_allowed", fields=b"\r\nAllow: GET, HEAD"))
        return True
    key = engine.identify(credential, client)
    if isinstance(key, str):
        client.refuse(key, engine.reason)
    elif path == LIMITS:
        client.answer(plain(limits_body(key, engine.mono_us)))
    elif path == MODELS:
        client.answer(plain(_models(engine, key)))
    elif path.startswith(MODELS):
        name = path[len(MODELS) + 1 :].decode("utf-8", "replace")
        if name in engine.models and _may_use(key, name):
            client.answer(plain(_model(engine, name)))
        else:
            client.refuse("model_unknown")
    elif engine.lender is None:
        client.refuse("book_unreachable")
    else:
        engine.lender.tell_standing(client, key, path)
    return True


def _models(engine: Engine, key: Key) -> dict[str, object]:
    shown = [name for name in engine.models if _may_use(key, name)]
    return {
        "object": "list",
        "data": [_model(engine, name) for name in shown],
        "has_more": False,
        "first_id": shown[0] if shown else None,
        "last_id": shown[-1] if shown else None,
    }


def _may_use(key: Key, model: str) -> bool:
    return not key.grant.models or model in key.grant.models


def _model(engine: Engine, name: str) -> dict[str, object]:
    """One model for the clients of OpenAI and of Anthropic alike; neither minds the other's fields."""
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": engine.terms.shop,
        "type": "model",
        "display_name": name,
        "created_at": "1970-01-01T00:00:00Z",
    }


def standing_answer(key: Key, path: bytes, standing: Standing) -> Answer:
    """The answer that needed the book: usage, or the same in the words of OpenAI's billing pages."""
    purse = key.purse
    # The book does not know yet what was spent of this gate's leases.
    here = sum([lease.left for lease in purse.leases])
    spent_here = sum([lease.settled for lease in purse.leases])
    granted = sum(amount for amount, _, _, _ in standing.grants)
    available = standing.spendable + here
    if path.endswith(SUBSCRIPTION.removeprefix(b"/v1")):
        total = units(granted)
        return plain(
            {
                "object": "billing_subscription",
                "has_payment_method": True,
                "soft_limit_usd": total,
                "hard_limit_usd": total,
                "system_hard_limit_usd": total,
                "access_until": 0,
            }
        )
    spent = max(0, granted - available)
    if path.endswith(BILLED.removeprefix(b"/v1")):  # in hundredths, as that API has it
        return plain({"object": "list", "total_usage": units(spent * 100)})
    if path.endswith(CREDIT.removeprefix(b"/v1")):
        sums = {"total_granted": granted, "total_used": spent, "total_available": available}
        return plain({"object": "credit_summary"} | {name: units(amount) for name, amount in sums.items()})
    return plain(
        {
            "object": "usage",
            "plan": key.grant.terms.plan,
            "unit": purse.unit,
            "granted": units(granted),
            "available": units(available),
            "in_use": units(max(0, standing.held - here - spent_here)),
            "grants": [
                {"amount": units(amount), "remaining": units(left), "expires_at": expires, "source": source}
                for amount, left, expires, source in standing.grants
            ],
        }
    )
