"""Random histories of one purchase at FakeStripe, and the truth of each."""

from __future__ import annotations

import random
from collections.abc import Callable

from samples.fakestripe.bank import NotOpen
from samples.fakestripe.engine import Engine
from samples.fakestripe.schema import BadRequest

OUTCOMES = (
    "ok",
    "ok",
    "ok",
    "generic_decline",
    "debit",
    "dispute",
    "dispute",
    "refund_pending",
    "refund_fails",
)


def truth(engine: Engine, name: str, price: int) -> str:
    """The money of the order, read off Stripe's own books without our rules."""
    session = engine.show("session", name, "payment_intent")
    if session["payment_status"] != "paid":
        payment = session["payment_intent"] or {}
        return "processing" if payment.get("status") == "processing" else "unpaid"
    claims = {row["status"] for row in engine.store.all("dispute")}
    if claims & {"needs_response", "under_review"}:
        return "disputed"
    if "lost" in claims:
        return "charged_back"
    back = sum(row["amount"] for row in engine.store.all("refund") if row["status"] == "succeeded")
    return "paid" if back == 0 else "refunded" if back >= price else "part_refunded"


def live(engine: Engine, name: str, price: int, chance: random.Random) -> None:
    """One more thing that payers, banks, operators or time may do."""
    bank, session = engine.bank, engine.show("session", name)
    acts: list[Callable[[], object]] = [lambda: bank.advance(chance.choice((1, 30, 3600)))]
    if session["status"] == "open":
        if chance.random() < 0.2:
            hidden = bank.row("hidden", name)
            engine.store.put("hidden", name, {**hidden, "debit_fails": True})
        acts += [lambda: bank.pay(name, chance.choice(OUTCOMES))] * 3
        acts.append(lambda: bank.advance(90_000))
    elif session["payment_intent"]:
        payment = session["payment_intent"]
        share = chance.choice((price, price * 2 // 5, price // 4, 1))
        acts += [lambda: bank.refund({"payment_intent": payment, "amount": share})] * 2
        for row in engine.store.all("dispute"):
            verdict = chance.choice(("won", "lost", "under_review"))
            if row["status"] in ("needs_response", "under_review"):
                acts += [lambda row=row, verdict=verdict: bank.decide(row["id"], verdict)] * 2  # type: ignore[misc]
    try:
        chance.choice(acts)()
    except (BadRequest, NotOpen):
        pass  # Stripe says no: nothing happened
