"""What payers and banks do: pay, be declined, prove themselves, dispute; and what time does.

Every change makes the events Stripe makes, in an order Stripe may use.
"""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable
from typing import Any

from samples.fakestripe import objects
from samples.fakestripe.store import Row, Store
from tollkeeper.core.period import add_months

CARDS = {
    "4242424242424242": "ok",
    "4000000000000002": "generic_decline",
    "4000000000009995": "insufficient_funds",
    "4000000000000069": "expired_card",
    "4000002500003155": "3ds",
    "4000000000000259": "dispute",
    "4000000000000341": "declines_later",
    "4000002760003184": "3ds_always",
    "4000000000005423": "fraud_warning",
    "4000000000007726": "refund_pending",
    "4000000000005126": "refund_fails",
}
"""Test numbers as Stripe documents them (docs.stripe.com/testing). Only the outcome is ever kept."""

DECLINES = frozenset({"generic_decline", "insufficient_funds", "expired_card"})
DISPUTE_AFTER_S = 20
DEBIT_SETTLES_AFTER_S = 8
REFUND_SETTLES_AFTER_S = 5
TRIAL_NOTICE_S = 3 * 86_400
RETRY_DAYS = (3, 5, 7)
"""Days between the tries to collect an unpaid renewal; then the subscription is cancelled."""


class NotOpen(Exception):
    """The session cannot be paid (any more)."""


class Bank:
    """Moves money between nobody and nobody. ``tell`` is given each event."""

    base = ""
    """Where the hosted pages stand."""

    def __init__(
        self,
        store: Store,
        tell: Callable[[Row], None],
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store, self._tell, self._chance, self._clock = (
            store,
            tell,
            chance or random.SystemRandom(),
            clock,
        )

    # ---- time and names

    def now(self) -> int:
        """Seconds since the epoch, moved by the test clock."""
        return int(self._clock()) + int((self.store.get("clock", "clock") or {"ahead_s": 0})["ahead_s"])

    def name(self, prefix: str) -> str:
        """A new id."""
        return f"{prefix}_{self._chance.getrandbits(120):030x}"

    def say(self, kind: str, row: Row) -> Row:
        """Record an event and hand it on."""
        made = objects.event(self.name("evt"), self.now(), kind, row)
        self.store.put("event", made["id"], made)
        self._tell(made)
        return made

    def later(self, seconds: float, act: str, name: str) -> None:
        """Do ``act`` to ``name`` when the clock has moved on."""
        key = f"{act}:{name}"
        self.store.put("timer", key, {"key": key, "at": self.now() + seconds, "act": act, "name": name})

    def tick(self) -> int:
        """Do what is due, oldest first; answers how much was done."""
        done = 0
        with self.store.lock:
            while due := [t for t in self.store.all("timer") if t["at"] <= self.now()]:
                timer = min(due, key=lambda t: (t["at"], t["key"]))
                self.store.drop("timer", timer["key"])
                getattr(self, "_on_" + timer["act"])(timer["name"])
                done += 1
        return done

    def advance(self, seconds: int) -> None:
        """Move the test clock on, stopping at each timer on the way so that all happens in its time."""
        with self.store.lock:
            goal = self.now() + seconds
            while True:
                soon = min((t["at"] for t in self.store.all("timer")), default=goal)
                stop = max(self.now(), min(int(-(-soon // 1)), goal))
                ahead = (self.store.get("clock", "clock") or {"ahead_s": 0})["ahead_s"]
                self.store.put("clock", "clock", {"ahead_s": ahead + stop - self.now()})
                if not self.tick() and self.now() >= goal:
                    return

    # ---- the hosted page

    def pay(self, name: str, outcome: str) -> str:
        """Try to pay a session; answers ``paid``, ``processing`` or the decline's code.

        ``outcome`` is a value of :data:`CARDS` or ``debit``. Raises :class:`NotOpen`.
        """
        with self.store.lock:
            session = self.store.get("session", name)
            if session is None or session["status"] != "open":
                raise NotOpen(name)
            if session["amount_total"] == 0 and session["mode"] == "payment":
                session.update(status="complete", payment_status="no_payment_required", url=None)
                self.store.put("session", name, session)
                self.say("checkout.session.completed", session)
                return "paid"
            if session["mode"] == "subscription" and not session["customer"]:
                session["customer"] = self.new_customer()["id"]
            if (self.store.get("hidden", name) or {}).get("trial_days"):
                return self._try(session, outcome)
            payment = self._intent_of(session)
            if outcome in DECLINES or outcome == "declines_later":
                self._decline(payment, "generic_decline" if outcome == "declines_later" else outcome)
                return str(payment["last_payment_error"]["decline_code"])
            session.update(status="complete", url=None, payment_intent=payment["id"])
            if outcome == "debit":
                payment["status"] = "processing"
                self.store.put("intent", payment["id"], payment)
                self._begin(session, payment, outcome, paid=False)
                self.say("payment_intent.processing", payment)
                self.say("checkout.session.completed", session)
                self.later(DEBIT_SETTLES_AFTER_S, "settle_debit", name)
                return "processing"
            session["payment_status"] = "paid"
            self.capture(payment, outcome)
            self._begin(session, payment, outcome, paid=True)
            self.say("checkout.session.completed", session)
            return "paid"

    def _try(self, session: Row, outcome: str) -> str:
        """Begin a trial; a card that is asked for is checked, and charged when the trial ends."""
        if outcome in DECLINES:
            return outcome
        if outcome == "none" and session["payment_method_collection"] != "if_required":
            raise NotOpen("a payment method is asked for here")
        hidden, now = self.row("hidden", session["id"]), self.now()
        ends = now + hidden["trial_days"] * 86_400
        session.update(status="complete", payment_status="no_payment_required", url=None)
        names = self.name("sub"), self.name("si")
        sub = objects.subscription(*names, now, session, ends, hidden["metadata"], trial=True)
        if outcome == "none":
            sub["default_payment_method"] = None
        self.store.put("hidden", sub["id"], {"outcome": outcome, "number": 0})
        self.store.put("subscription", sub["id"], sub)
        bill = self.bill(sub, 0, "subscription_create")
        session.update(subscription=sub["id"], invoice=bill["id"])
        self.store.put("session", session["id"], session)
        self.say("customer.subscription.created", sub)
        bill.update(status="paid")
        self.store.put("invoice", bill["id"], bill)
        self.say("invoice.paid", bill)
        self.later(max(0, ends - TRIAL_NOTICE_S - now), "tell_of_trial", sub["id"])
        self.renew_at(sub)
        self.say("checkout.session.completed", session)
        return "paid"

    def _on_tell_of_trial(self, name: str) -> None:
        sub = self.row("subscription", name)
        if sub["status"] == "trialing":
            self.say("customer.subscription.trial_will_end", sub)

    def _intent_of(self, session: Row) -> Row:
        hidden = self.store.get("hidden", session["id"]) or {}
        if known := hidden.get("intent"):
            row = self.store.get("intent", known)
            assert row is not None
            row["customer"] = session["customer"]
            return row
        row = objects.payment_intent(
            self.name("pi"),
            self.now(),
            session["amount_total"],
            session["currency"],
            session["customer"],
            hidden.get("metadata", {}) if session["mode"] == "payment" else {},
        )
        self.store.put("intent", row["id"], row)
        self.store.put("hidden", session["id"], {**hidden, "intent": row["id"]})
        self.say("payment_intent.created", row)
        return row

    def _decline(self, payment: Row, code: str) -> None:
        made = self.store_charge(objects.charge(self.name("ch"), self.now(), payment, "card_declined"))
        payment["status"] = "requires_payment_method"
        payment["last_payment_error"] = {"type": "card_error", "code": "card_declined", "decline_code": code}
        self.store.put("intent", payment["id"], payment)
        self.say("charge.failed", made)
        self.say("payment_intent.payment_failed", payment)

    def store_charge(self, row: Row) -> Row:
        """Keep a charge."""
        return self.store.put("charge", row["id"], row)

    def capture(self, payment: Row, outcome: str) -> Row:
        """Take the money of a payment."""
        made = self.store_charge(objects.charge(self.name("ch"), self.now(), payment))
        payment.update(
            status="succeeded",
            amount_received=payment["amount"],
            latest_charge=made["id"],
            last_payment_error=None,
        )
        self.store.put("intent", payment["id"], payment)
        self.store.put("hidden", payment["id"], {"outcome": outcome})
        self.book(made["id"], made["amount"], made["currency"])
        self.say("charge.succeeded", made)
        self.say("payment_intent.succeeded", payment)
        if outcome == "dispute":
            self.later(DISPUTE_AFTER_S, "open_dispute", made["id"])
        if outcome == "fraud_warning":
            self.later(DISPUTE_AFTER_S, "warn", made["id"])
        return made

    def book(self, source: str, amount: int, currency: str) -> None:
        """Money moves: a balance transaction."""
        row = objects.balance_transaction(self.name("txn"), self.now(), source, amount, currency)
        self.store.put("balance_transaction", row["id"], row)

    def _begin(self, session: Row, payment: Row, outcome: str, paid: bool) -> None:
        """Finish a session: a subscription begins, with its first invoice."""
        if session["mode"] == "subscription":
            now, interval = self.now(), session["line_items"]["data"][0]["price"]["recurring"]["interval"]
            hidden = self.store.get("hidden", session["id"]) or {}
            sub = objects.subscription(
                self.name("sub"),
                self.name("si"),
                now,
                session,
                self.end_of(now, interval, 1),
                hidden.get("metadata", {}),
            )
            if not paid:
                sub["status"] = "incomplete"
            self.store.put("hidden", sub["id"], {"outcome": outcome, "number": 1})
            self.store.put("subscription", sub["id"], sub)
            if hidden.get("coupon"):
                self.put_discount(sub, self.row("coupon", hidden["coupon"]))
            bill = self.bill(sub, session["amount_total"], "subscription_create")
            self.spend_discount(sub)
            session.update(subscription=sub["id"], invoice=bill["id"], payment_intent=None)
            self.say("customer.subscription.created", sub)
            self.settle(bill, payment, paid)
            if paid:
                self.renew_at(sub)
        self.store.put("session", session["id"], session)

    # ---- subscriptions

    def put_discount(self, sub: Row, coupon: Row | None) -> None:
        """From now on a coupon takes something off each invoice, or nothing does."""
        months = coupon["duration_in_months"] if coupon else None
        ends = self.end_of(self.now(), "month", months) if months else None
        sub["discounts"] = [f"di_{sub['id'][4:]}"] if coupon else []
        discount = (
            {"off": coupon["amount_off"], "ends": ends, "once": coupon["duration"] == "once"}
            if coupon
            else {}
        )
        self.store.put("discount", sub["id"], discount)
        self.store.put("subscription", sub["id"], sub)

    def discount_on(self, sub: Row, start: int) -> int:
        """What is taken off an invoice for the period that begins then."""
        held = self.store.get("discount", sub["id"]) or {}
        return 0 if not held or (held["ends"] is not None and start >= held["ends"]) else int(held["off"])

    def spend_discount(self, sub: Row) -> None:
        """A coupon that holds once has been used."""
        if (self.store.get("discount", sub["id"]) or {}).get("once"):
            self.put_discount(sub, None)

    @staticmethod
    def end_of(anchor: int, interval: str, number: int) -> int:
        """When period ``number`` (from 1) ends, counted from the anchor."""
        months = {"month": 1, "year": 12}[interval]
        return int(add_months(dt.datetime.fromtimestamp(anchor, dt.UTC), months * number).timestamp())

    def new_customer(self) -> Row:
        """A customer of whom nothing is known."""
        row = objects.customer(self.name("cus"), self.now())
        self.store.put("customer", row["id"], row)
        self.say("customer.created", row)
        return row

    def bill(self, sub: Row, amount: int, reason: str, lines: list[Row] | None = None) -> Row:
        """Write an invoice and finalize it."""
        item = sub["items"]["data"][0]
        span = {"start": item["current_period_start"], "end": item["current_period_end"]}
        text = [{"object": "line_item", "amount": amount, "currency": sub["currency"], "period": span}]
        row = objects.invoice(self.name("in"), self.now(), sub, amount, reason, lines or text)
        row["hosted_invoice_url"] = f"{self.base}/i/{row['id']}"
        self.store.put("invoice", row["id"], row)
        sub["latest_invoice"] = row["id"]
        self.store.put("subscription", sub["id"], sub)
        self.say("invoice.created", row)
        self.say("invoice.finalized", row)
        return row

    def settle(self, bill: Row, payment: Row, paid: bool) -> None:
        """Note the payment on an invoice."""
        self.store.put(
            "invoice_payment",
            bill["id"],
            {
                "id": self.name("inpay"),
                "object": "invoice_payment",
                "amount_paid": payment["amount"] if paid else None,
                "invoice": bill["id"],
                "payment": {"type": "payment_intent", "payment_intent": payment["id"]},
                "status": "paid" if paid else "open",
            },
        )
        if paid:
            bill.update(status="paid", amount_paid=bill["amount_due"], amount_remaining=0, attempt_count=1)
            bill["hosted_invoice_url"] = None
            self.store.put("invoice", bill["id"], bill)
            self.say("invoice.paid", bill)

    def renew_at(self, sub: Row) -> None:
        """Set the timer for the end of the period."""
        self.later(sub["items"]["data"][0]["current_period_end"] - self.now(), "renew", sub["id"])

    def row(self, kind: str, name: str) -> Row:
        """A row that must be there."""
        found = self.store.get(kind, name)
        assert found is not None, f"{kind} {name}"
        return found

    def _on_settle_debit(self, name: str) -> None:
        session: Any = self.row("session", name)
        hidden = self.row("hidden", name)
        payment = self.row("intent", hidden["intent"])
        if hidden.get("debit_fails"):
            self._decline(payment, "insufficient_funds")
            self.say("checkout.session.async_payment_failed", session)
            return
        session["payment_status"] = "paid"
        self.store.put("session", name, session)
        self.capture(payment, "ok")
        if session["mode"] == "subscription":
            sub, bill = (
                self.row("subscription", session["subscription"]),
                self.row("invoice", session["invoice"]),
            )
            sub["status"] = "active"
            self.store.put("subscription", sub["id"], sub)
            self.settle(bill, payment, paid=True)
            self.say("customer.subscription.updated", sub)
            self.renew_at(sub)
        self.say("checkout.session.async_payment_succeeded", session)

    def _on_expire(self, name: str) -> None:
        session = self.store.get("session", name)
        if session and session["status"] == "open":
            session.update(status="expired", url=None)
            self.store.put("session", name, session)
            self.say("checkout.session.expired", session)
