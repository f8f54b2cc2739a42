"""Invoices that a shop writes itself, charged without the payer being there."""

from __future__ import annotations

from samples.fakestripe import objects
from samples.fakestripe.aftermath import Aftermath
from samples.fakestripe.bank import DECLINES, RETRY_DAYS, NotOpen
from samples.fakestripe.schema import BadRequest
from samples.fakestripe.store import Row


class Declined(BadRequest):
    """The card says no: 402, as Stripe answers it."""


class Bills(Aftermath):
    """The bank, and the desk where invoices are written."""

    def new_coupon(self, fields: Row) -> Row:
        """A coupon under the id that the shop gives it."""
        name = fields.get("id") or self.name("co")
        if self.store.get("coupon", name) is not None:
            raise BadRequest("Coupon already exists.", "id", "resource_already_exists")
        if ("percent_off" in fields) == ("amount_off" in fields):
            raise BadRequest("say either percent_off or amount_off", "amount_off", "parameter_missing")
        if (fields.get("duration") == "repeating") != ("duration_in_months" in fields):
            raise BadRequest("duration_in_months goes with repeating", "duration_in_months")
        return self.store.put("coupon", name, objects.coupon(name, self.now(), fields))

    def discount(self, fields: Row, currency: str) -> Row | None:
        """The coupon that a request names."""
        wanted = fields.get("discounts") or []
        if not wanted:
            return None
        row = self.store.get("coupon", wanted[0].get("coupon", ""))
        if row is None:
            raise BadRequest("No such coupon", "discounts", "resource_missing")
        if row["currency"] != currency:
            raise BadRequest("The coupon has another currency.", "discounts")
        return row

    def write(self, fields: Row) -> Row:
        """A draft without lines."""
        if self.store.get("customer", fields.get("customer", "")) is None:
            raise BadRequest("No such customer", "customer", "resource_missing")
        means = fields.get("default_payment_method")
        if means and self._holder(means) is None:
            raise BadRequest("No such PaymentMethod", "default_payment_method", "resource_missing")
        row = objects.bill(self.name("in"), self.now(), fields)
        self.store.put("hidden", row["id"], {"means": means, "tries": 0})
        self.say("invoice.created", row)
        return self.store.put("invoice", row["id"], row)

    def add(self, fields: Row) -> Row:
        """A line of a draft."""
        row = self.store.get("invoice", fields.get("invoice", ""))
        if row is None or row["status"] != "draft":
            raise BadRequest("name an invoice that is a draft", "invoice", "invoice_not_editable")
        if fields.get("currency") != row["currency"] or fields.get("customer") != row["customer"]:
            raise BadRequest("the invoice has another currency or customer", "currency")
        line = objects.bill_line(self.name("ii"), self.now(), fields)
        row["lines"]["data"].append(line)
        for name in ("amount_due", "amount_remaining", "total"):
            row[name] += fields["amount"]
        self.store.put("invoice", row["id"], row)
        return self.store.put("invoiceitem", line["id"], line)

    def finalize(self, fields: Row, name: str) -> Row:
        """No more lines; from now on it can be paid."""
        row = self._bill(name, "draft")
        row.update(status="open", hosted_invoice_url=f"{self.base}/i/{name}")
        self.say("invoice.finalized", row)
        return self.store.put("invoice", name, row)

    def collect_bill(self, fields: Row, name: str) -> Row:
        """Try to take the money with what is on file."""
        self._try_bill(self._bill(name, "open"))
        row = self.row("invoice", name)
        if row["status"] != "paid":
            raise Declined("Your card was declined.", "", "card_declined")
        return row

    def void(self, fields: Row, name: str) -> Row:
        """Nobody is to pay it any more."""
        row = self._bill(name, "open")
        row.update(status="void", hosted_invoice_url=None)
        self.say("invoice.voided", row)
        return self.store.put("invoice", name, row)

    def pay_bill(self, name: str, outcome: str) -> bool:
        """The payer pays on the invoice's own page; False if the card is declined."""
        with self.store.lock:
            row = self.store.get("invoice", name)
            if row is None or row["status"] != "open":
                raise NotOpen(name)
            if row["parent"]:
                return self._pay_period(row, outcome)
            self._try_bill(row, outcome)
            return bool(row["status"] == "paid")

    def _pay_period(self, row: Row, outcome: str) -> bool:
        """The payer pays a renewal by hand, being there to answer their bank."""
        sub = self.row("subscription", row["parent"]["subscription_details"]["subscription"])
        payment = objects.payment_intent(
            self.name("pi"), self.now(), row["amount_due"], row["currency"], row["customer"], {}
        )
        self.store.put("intent", payment["id"], payment)
        if outcome in DECLINES | {"declines_later"}:
            self._decline(payment, "generic_decline")
            return False
        self.capture(payment, outcome)
        self.settle(row, payment, paid=True)
        self._status(sub, "active")
        return True

    def _bill(self, name: str, status: str) -> Row:
        row = self.store.get("invoice", name)
        if row is None:
            raise BadRequest(f"No such invoice: '{name}'", "invoice", "resource_missing")
        if row["status"] != status:
            raise BadRequest(f"This invoice is {row['status']}.", "invoice", "invoice_not_" + status)
        return row

    def _holder(self, means: str) -> Row | None:
        subs = (sub for sub in self.store.all("subscription") if sub["default_payment_method"] == means)
        return next(subs, None)

    def _try_bill(self, row: Row, outcome: str = "") -> None:
        hidden = self.row("hidden", row["id"])
        holder = self._holder(hidden["means"]) if hidden["means"] else None
        outcome = outcome or (self.row("hidden", holder["id"])["outcome"] if holder else "generic_decline")
        payment = objects.payment_intent(
            self.name("pi"), self.now(), row["amount_due"], row["currency"], row["customer"], row["metadata"]
        )
        self.store.put("intent", payment["id"], payment)
        row["attempt_count"] += 1
        if outcome not in DECLINES | {"declines_later", "none", "3ds", "3ds_always"}:
            self.capture(payment, outcome)
            row["hosted_invoice_url"] = None
            self.settle(row, payment, paid=True)
            return
        self._decline(payment, "authentication_required" if outcome.startswith("3ds") else "generic_decline")
        tries = hidden["tries"]
        self.store.put("hidden", row["id"], {**hidden, "tries": tries + 1})
        self.store.put("invoice", row["id"], row)
        self.say("invoice.payment_failed", row)
        if tries >= len(RETRY_DAYS):
            row.update(status="uncollectible")
            self.store.put("invoice", row["id"], row)
            self.say("invoice.marked_uncollectible", row)
            return
        self.later(RETRY_DAYS[tries] * 86_400, "retry_bill", row["id"])

    def _on_retry_bill(self, name: str) -> None:
        row = self.row("invoice", name)
        if row["status"] == "open":
            self._try_bill(row)
