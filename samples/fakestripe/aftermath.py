"""What may follow a payment: renewals, refunds, disputes."""

from __future__ import annotations

from samples.fakestripe import objects
from samples.fakestripe.bank import DECLINES, REFUND_SETTLES_AFTER_S, RETRY_DAYS, Bank
from samples.fakestripe.schema import BadRequest
from samples.fakestripe.store import Row


class Aftermath(Bank):
    """The bank on the days after."""

    # ---- renewals

    def _on_renew(self, name: str) -> None:
        sub = self.row("subscription", name)
        if sub["status"] in ("canceled", "incomplete_expired"):
            return
        if sub["cancel_at_period_end"]:
            self.end(sub)
            return
        item, hidden = sub["items"]["data"][0], self.row("hidden", name)
        if sub["status"] == "trialing" and hidden["outcome"] == "none":
            self.end(sub)  # trial_settings: nothing to pay with
            return
        number = hidden["number"] + 1
        item["current_period_start"] = item["current_period_end"]
        interval = item["price"]["recurring"]["interval"]
        item["current_period_end"] = self.end_of(sub["billing_cycle_anchor"], interval, number)
        self.store.put("hidden", name, {**hidden, "number": number, "tries": 0})
        self.store.put("subscription", name, sub)
        if sub["pause_collection"]:
            self.renew_at(sub)
            return
        whole = item["price"]["unit_amount"] * item["quantity"]
        off = self.discount_on(sub, item["current_period_start"])
        self.bill(sub, max(0, whole - off), "subscription_cycle")
        self.spend_discount(sub)
        self.collect(sub)
        self.renew_at(sub)

    def _on_retry(self, name: str) -> None:
        sub = self.row("subscription", name)
        if sub["status"] == "past_due":
            self.collect(sub)

    def begin_anew(self, sub: Row, trial_end: int | None) -> None:
        """Another interval: its first period begins and is billed at once, or where a trial to it ends."""
        now, item = self.now(), sub["items"]["data"][0]
        if trial_end is not None and trial_end <= now:
            raise BadRequest("trial_end must be in the future", "trial_end")
        ends = trial_end or self.end_of(now, item["price"]["recurring"]["interval"], 1)
        sub.update(
            billing_cycle_anchor=trial_end or now,
            status="trialing" if trial_end else "active",
            trial_start=now if trial_end else None,
            trial_end=trial_end,
        )
        item.update(current_period_start=now, current_period_end=ends)
        self.store.put(
            "hidden", sub["id"], {**self.row("hidden", sub["id"]), "number": 0 if trial_end else 1}
        )
        self.store.put("subscription", sub["id"], sub)
        price = item["price"]["unit_amount"] * item["quantity"]
        bill = self.bill(sub, 0 if trial_end else price, "subscription_update")
        if trial_end:
            bill.update(status="paid")
            self.store.put("invoice", bill["id"], bill)
            self.say("invoice.paid", bill)
        else:
            self.collect(sub)
        self.renew_at(sub)

    def collect(self, sub: Row) -> None:
        """Try to take the money of the newest invoice."""
        bill, hidden = self.row("invoice", sub["latest_invoice"]), self.row("hidden", sub["id"])
        if bill["status"] != "open":
            return
        payment = objects.payment_intent(
            self.name("pi"), self.now(), bill["amount_due"], sub["currency"], sub["customer"], {}
        )
        self.store.put("intent", payment["id"], payment)
        bill["attempt_count"] += 1
        asks = hidden["outcome"] == "3ds_always"  # the bank asks its customer, who is not there
        if asks or hidden["outcome"] in DECLINES | {"declines_later"}:
            self._decline(payment, "authentication_required" if asks else "generic_decline")
            tries = hidden.get("tries", 0)
            self.store.put("hidden", sub["id"], {**hidden, "tries": tries + 1})
            last = tries >= len(RETRY_DAYS)
            bill["next_payment_attempt"] = None if last else self.now() + RETRY_DAYS[tries] * 86_400
            self.store.put("invoice", bill["id"], bill)
            self.say("invoice.payment_failed", bill)
            if asks:
                self.say("invoice.payment_action_required", bill)
            if last:
                bill["status"] = "uncollectible"
                self.store.put("invoice", bill["id"], bill)
                self.say("invoice.marked_uncollectible", bill)
                self.end(sub)
                return
            self.later(RETRY_DAYS[tries] * 86_400, "retry", sub["id"])
            self._status(sub, "past_due")
            return
        self.capture(payment, hidden["outcome"])
        self.settle(bill, payment, paid=True)
        self._status(sub, "active")

    def _status(self, sub: Row, status: str) -> None:
        sub["status"] = status
        self.store.put("subscription", sub["id"], sub)
        self.say("customer.subscription.updated", sub)

    def end(self, sub: Row) -> Row:
        """Cancel at once."""
        sub.update(status="canceled", canceled_at=self.now(), ended_at=self.now())
        self.store.put("subscription", sub["id"], sub)
        self.say("customer.subscription.deleted", sub)
        return sub

    def use_card(self, name: str, outcome: str) -> None:
        """The customer stores another card; an unpaid renewal is tried with it at once."""
        with self.store.lock:
            self.store.put("hidden", name, {**self.row("hidden", name), "outcome": outcome})
            sub = self.row("subscription", name)
            sub["default_payment_method"] = f"pm_{name[4:]}"
            self.store.put("subscription", name, sub)
            self.say("payment_method.attached", {"id": self.name("pm"), "object": "payment_method"})
            if sub["status"] == "past_due":
                self.collect(sub)

    # ---- refunds

    def refund(self, fields: Row) -> Row:
        """Give money back; never more than came."""
        name = fields.get("payment_intent")
        if not name:
            name = self.row("charge", fields["charge"])["payment_intent"] if fields.get("charge") else ""
        payment = self.store.get("intent", str(name))
        if payment is None or not payment["latest_charge"]:
            raise BadRequest(f"No such payment_intent: '{name}'", "payment_intent", "resource_missing")
        paid = self.row("charge", payment["latest_charge"])
        if paid["disputed"] and any(
            row["status"] != "won" for row in self.store.all("dispute") if row["charge"] == paid["id"]
        ):
            raise BadRequest("This charge is disputed.", "charge", "charge_disputed")
        left = paid["amount"] - sum(
            row["amount"]
            for row in self.store.all("refund")
            if row["charge"] == paid["id"] and row["status"] in ("pending", "succeeded")
        )
        amount = fields.get("amount", left)
        if left == 0:
            raise BadRequest("This charge has been refunded already.", "", "charge_already_refunded")
        if not 1 <= amount <= left:
            raise BadRequest(f"The refund is greater than what is left: {left}", "amount", "amount_too_large")
        made = objects.refund(self.name("re"), self.now(), payment, amount, fields)
        outcome = self.row("hidden", payment["id"])["outcome"]
        slow = outcome in ("refund_pending", "refund_fails")
        if not slow:
            made["status"] = "succeeded"
        self.store.put("refund", made["id"], made)
        self._count_refunds(paid)
        self.say("refund.created", made)
        if slow:
            self.later(REFUND_SETTLES_AFTER_S, "settle_refund", made["id"])
        else:
            self.book(made["id"], -amount, made["currency"])
        self.say("charge.refunded", paid)
        return made

    def _count_refunds(self, paid: Row) -> None:
        given = [row for row in self.store.all("refund") if row["charge"] == paid["id"]]
        back = sum(row["amount"] for row in given if row["status"] in ("pending", "succeeded"))
        paid.update(amount_refunded=back, refunded=back >= paid["amount"])
        self.store_charge(paid)

    def _on_settle_refund(self, name: str) -> None:
        row = self.row("refund", name)
        outcome = self.row("hidden", row["payment_intent"])["outcome"]
        row["status"] = "failed" if outcome == "refund_fails" else "succeeded"
        self.store.put("refund", name, row)
        self._count_refunds(self.row("charge", row["charge"]))
        if row["status"] == "succeeded":
            self.book(row["id"], -row["amount"], row["currency"])
        self.say("refund.updated", row)
        self.say("refund.failed" if row["status"] == "failed" else "charge.refund.updated", row)

    # ---- disputes

    def _on_open_dispute(self, name: str) -> None:
        if not self.row("charge", name)["refunded"]:  # who has the money back has nothing to dispute
            self.dispute(name)

    def _on_warn(self, name: str) -> None:
        made = objects.fraud_warning(self.name("issfr"), self.now(), self.row("charge", name))
        self.store.put("fraud_warning", made["id"], made)
        self.say("radar.early_fraud_warning.created", made)

    def dispute(self, charge: str, reason: str = "fraudulent") -> Row:
        """The payer's bank takes the money back, for the time being."""
        with self.store.lock:
            paid = self.row("charge", charge)
            amount = paid["amount"] - paid["amount_refunded"]
            made = objects.dispute(self.name("du"), self.now(), paid, reason, amount)
            paid["disputed"] = True
            self.store_charge(paid)
            self.store.put("dispute", made["id"], made)
            self.book(made["id"], -amount, paid["currency"])
            self.say("charge.dispute.created", made)
            self.say("charge.dispute.funds_withdrawn", made)
            return made

    def decide(self, name: str, status: str) -> Row:
        """The bank decides: ``won``, ``lost`` or, for now, ``under_review``."""
        with self.store.lock:
            row = self.row("dispute", name)
            row["status"] = status
            self.store.put("dispute", name, row)
            if status == "won":
                self.say("charge.dispute.funds_reinstated", row)
            self.say("charge.dispute.updated" if status == "under_review" else "charge.dispute.closed", row)
            return row
