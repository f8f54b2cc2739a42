"""The API: routes, idempotency, expansion, lists. Framework-free: bytes in, status and JSON out."""

from __future__ import annotations

import hashlib
import json
import random
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from samples.fakestripe import forms, objects
from samples.fakestripe.bills import Bills, Declined
from samples.fakestripe.courier import Courier
from samples.fakestripe.schema import BadRequest, validate
from samples.fakestripe.sessions import check_items, trial_days
from samples.fakestripe.store import Row, Store

LONGEST_KEY = 255
EXPANDS = {
    "payment_intent": "intent",
    "latest_charge": "charge",
    "charge": "charge",
    "subscription": "subscription",
    "customer": "customer",
    "invoice": "invoice",
    "latest_invoice": "invoice",
}
HIDDEN = {"session": ("line_items",), "invoice": ()}
"""What an object shows only when it is expanded."""


class Lost(Exception):
    """The answer is lost on the way: the request was served, the caller will never know."""


class Engine:
    """One account. ``base`` is where its pages stand."""

    def __init__(
        self,
        store: Store | None = None,
        base: str = "http://fakestripe.invalid",
        courier: Courier | None = None,
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store or Store()
        self.base = base.rstrip("/")
        self.courier = courier or Courier(self.store)
        self.bank = Bills(self.store, self.courier.take, chance, clock)
        self.bank.base = self.base
        self.requests: list[tuple[str, str]] = []
        self.lose_next = 0
        self.fail_next = 0
        self._routes = [
            (method, re.compile("^" + template.replace("{}", r"([\w-]+)") + "$"), template, act)
            for method, template, act in self._table()
        ]

    def _table(self) -> list[tuple[str, str, Callable[..., Row]]]:
        def reads(kind: str, path: str) -> list[tuple[str, str, Callable[..., Row]]]:
            return [
                ("get", path + "/{}", lambda fields, name: self._one(kind, name)),
                ("get", path, lambda fields: self._page(kind, path, fields)),
            ]

        return [
            ("post", "/v1/checkout/sessions", self._open_session),
            ("post", "/v1/checkout/sessions/{}/expire", self._expire_session),
            ("post", "/v1/refunds", self.bank.refund),
            ("post", "/v1/customers", lambda fields: self.bank.new_customer()),
            ("delete", "/v1/customers/{}", self._delete_customer),
            ("post", "/v1/subscriptions/{}", self.change_subscription),
            (
                "delete",
                "/v1/subscriptions/{}",
                lambda fields, name: self.bank.end(self._one("subscription", name)),
            ),
            ("post", "/v1/billing_portal/sessions", self._open_portal),
            ("post", "/v1/disputes/{}", self._answer_dispute),
            ("post", "/v1/coupons", self.bank.new_coupon),
            *reads("coupon", "/v1/coupons"),
            ("post", "/v1/invoices", self.bank.write),
            ("post", "/v1/invoiceitems", self.bank.add),
            ("post", "/v1/invoices/{}/finalize", self.bank.finalize),
            ("post", "/v1/invoices/{}/pay", self.bank.collect_bill),
            ("post", "/v1/invoices/{}/void", self.bank.void),
            *reads("session", "/v1/checkout/sessions"),
            *reads("intent", "/v1/payment_intents"),
            *reads("charge", "/v1/charges"),
            *reads("refund", "/v1/refunds"),
            *reads("dispute", "/v1/disputes"),
            *reads("fraud_warning", "/v1/radar/early_fraud_warnings"),
            *reads("balance_transaction", "/v1/balance_transactions"),
            *reads("webhook_endpoint", "/v1/webhook_endpoints"),
            *reads("customer", "/v1/customers"),
            *reads("subscription", "/v1/subscriptions"),
            *reads("invoice", "/v1/invoices"),
            ("get", "/v1/events/{}", lambda fields, name: self._one("event", name)),
            ("get", "/v1/events", self._events),
        ]

    # ---- the door

    def serve(
        self, method: str, url: str, headers: Mapping[str, str], body: str = ""
    ) -> tuple[int, str, dict[str, str]]:
        """Answer one request: status, JSON text, headers. Raises :class:`Lost` when told to lose it."""
        names = {name.lower(): value for name, value in headers.items()}
        method, address = method.lower(), urlsplit(url)
        with self.store.lock:
            self.requests.append((method, address.path))
            if self.fail_next:
                self.fail_next -= 1
                return self._error(500, "api_error", "Something went wrong on our end.", "", "")
            status, text, extra = self._once(method, address.path, address.query, names, body)
            if self.lose_next:
                self.lose_next -= 1
                raise Lost
        return (
            status,
            text,
            {"Content-Type": "application/json", "Request-Id": self.bank.name("req"), **extra},
        )

    def _once(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: str
    ) -> tuple[int, str, dict[str, str]]:
        kind, _, key = headers.get("authorization", "").partition(" ")
        if kind not in ("Bearer", "Basic") or not key.startswith(("sk_test_", "rk_test_")):
            return self._error(
                401, "invalid_request_error", "Invalid API Key provided.", "", "api_key_invalid"
            )
        again = headers.get("idempotency-key", "") if method == "post" else ""
        if len(again) > LONGEST_KEY:
            return self._error(
                400, "invalid_request_error", "The key is too long.", "", "idempotency_key_too_long"
            )
        print_of = hashlib.sha256(f"{method} {path} {query} {body}".encode()).hexdigest()
        known = self.store.get("once", again) if again else None
        if known is not None:
            if known["print"] != print_of:
                return self._error(
                    400,
                    "idempotency_error",
                    "Keys for idempotent requests can only be used with the "
                    "same parameters they were first used with.",
                    "",
                    "",
                )
            return known["status"], known["text"], {"Idempotent-Replayed": "true"}
        try:
            answer = json.dumps(self._route(method, path, query, body))
        except BadRequest as error:
            if isinstance(error, Declined):
                return self._error(402, "card_error", error.message, "", error.code)
            status = 404 if error.code == "resource_missing" else 400
            return self._error(status, "invalid_request_error", error.message, error.param, error.code)
        if again:
            self.store.put("once", again, {"print": print_of, "status": 200, "text": answer})
        return 200, answer, {}

    def _route(self, method: str, path: str, query: str, body: str) -> Row:
        for verb, pattern, template, act in self._routes:
            if verb == method and (match := pattern.match(path)):
                fields = validate(method, template, forms.parse(body if method == "post" else query))
                expand = fields.pop("expand", [])
                answer = act(fields, *match.groups())
                return self._expanded(answer, [tuple(text.split(".")) for text in expand])
        raise BadRequest(f"Unrecognized request URL ({method.upper()}: {path}).", "", "resource_missing")

    @staticmethod
    def _error(status: int, kind: str, text: str, param: str, code: str) -> tuple[int, str, dict[str, str]]:
        error = {
            "type": kind,
            "message": text,
            **({"param": param} if param else {}),
            **({"code": code} if code else {}),
        }
        return status, json.dumps({"error": error}), {"Content-Type": "application/json"}

    # ---- reading

    def _one(self, kind: str, name: str) -> Row:
        row = self.store.get(kind, name)
        if row is None:
            raise BadRequest(f"No such {kind}: '{name}'", "id", "resource_missing")
        return row

    def listen(self, url: str) -> Row:
        """Post events to an address from now on, as its dashboard would be told."""
        row = objects.webhook_endpoint("we_1", self.bank.now(), url)
        return self.store.put("webhook_endpoint", row["id"], row)

    def show(self, kind: str, name: str, *expand: str) -> Row:
        """An object as the API shows it, without the way over the API."""
        return self._expanded(self._one(kind, name), [tuple(path.split(".")) for path in expand])

    def open_session(self, fields: Row) -> Row:
        """A new session from fields that are known to be well formed."""
        return self._open_session(fields)

    def _page(self, kind: str, url: str, fields: Row) -> Row:
        limit = fields.pop("limit", 10)
        if not 1 <= limit <= 100:
            raise BadRequest("limit is 1 to 100", "limit")
        after, before = fields.pop("starting_after", None), fields.pop("ending_before", None)
        created = fields.pop("created", None)
        rows = [row for row in reversed(list(self.store.all(kind))) if _fits(row, fields)]
        if created is not None:
            rows = [row for row in rows if _in_range(row["created"], created)]
        names = [row["id"] for row in rows]
        if after in names:
            rows = rows[names.index(after) + 1 :]
        if before in names:
            rows = rows[: names.index(before)][-limit:]
        page = [self._expanded(row, []) for row in rows[:limit]]
        return objects.listing(url, page, len(rows) > limit)

    def _events(self, fields: Row) -> Row:
        arrived = fields.pop("delivery_success", None)
        kinds = fields.pop("types", None)
        if kinds:
            fields["type"] = list(kinds)
        if arrived is not None:
            fields["pending_webhooks"] = 0 if arrived else 1
        return self._page("event", "/v1/events", fields)

    def _expanded(self, row: Row, paths: list[tuple[str, ...]]) -> Row:
        """A copy with what the paths name in full, and without what shows only then."""
        heads = {path[0] for path in paths}
        kind = row.get("object", "")
        shown = {
            k: v
            for k, v in row.items()
            if not (kind == "checkout.session" and k == "line_items" and k not in heads)
        }
        for head in sorted(heads):
            rest = [path[1:] for path in paths if path[0] == head and len(path) > 1]
            value = shown.get(head)
            if head == "payments" and kind == "invoice":
                found = self.store.get("invoice_payment", row["id"])
                shown[head] = objects.listing("/v1/invoice_payments", [found] if found else [])
            elif isinstance(value, str) and head == "source":
                kind_of = {"ch": "charge", "re": "refund"}.get(value.partition("_")[0], "dispute")
                shown[head] = self._expanded(self._one(kind_of, value), rest)
            elif isinstance(value, list) and rest:
                shown[head] = [self._expanded(one, rest) for one in value]
            elif isinstance(value, str) and head in EXPANDS:
                shown[head] = self._expanded(self._one(EXPANDS[head], value), rest)
            elif isinstance(value, dict) and rest:
                shown[head] = self._expanded(value, rest)
            elif head not in shown:
                raise BadRequest(f"This property cannot be expanded ({head}).", "expand")
        return shown

    # ---- writing

    def _open_session(self, fields: Row) -> Row:
        now, mode = self.bank.now(), fields.get("mode", "")
        items = fields.get("line_items") or []
        check_items(mode, items)
        if not fields.get("success_url"):
            raise BadRequest("success_url is needed", "success_url", "parameter_missing")
        ends = fields.get("expires_at", now + 86_400)
        if not now + 1795 <= ends <= now + 86_405:
            raise BadRequest("expires_at must be 30 minutes to 24 hours from now", "expires_at")
        if fields.get("customer"):
            self._one("customer", fields["customer"])
        if mode == "subscription" and (fields.get("customer_creation") or fields.get("payment_intent_data")):
            raise BadRequest("customer_creation and payment_intent_data go with mode=payment", "mode")
        total = sum(item["price_data"]["unit_amount"] * item.get("quantity", 1) for item in items)
        if mode == "payment" and 0 < total < 50:
            raise BadRequest("The amount is too small.", "line_items", "amount_too_small")
        name = self.bank.name("cs_test")
        source = fields.get("payment_intent_data" if mode == "payment" else "subscription_data") or {}
        trial = trial_days(mode, fields, source)
        off = self.bank.discount(fields, fields["line_items"][0]["price_data"]["currency"])
        total = 0 if trial else max(0, total - (off["amount_off"] if off else 0))
        row = objects.session(name, now, fields, total, f"{self.base}/c/pay/{name}")
        hidden = {"metadata": source.get("metadata", {}), "trial_days": trial, "coupon": off and off["id"]}
        self.store.put("hidden", name, hidden)
        self.store.put("session", name, row)
        self.bank.later(ends - now, "expire", name)
        return row

    def _expire_session(self, fields: Row, name: str) -> Row:
        row = self._one("session", name)
        if row["status"] != "open":
            raise BadRequest(f"Only open sessions can be expired; this one is {row['status']}.", "session")
        self.bank.later(0, "expire", name)
        self.bank.tick()
        return row

    def _delete_customer(self, fields: Row, name: str) -> Row:
        row = self._one("customer", name)
        for sub in self.store.all("subscription"):
            if sub["customer"] == name and sub["status"] != "canceled":
                self.bank.end(sub)
        self.store.drop("customer", name)
        self.bank.say("customer.deleted", row)
        return {"id": name, "object": "customer", "deleted": True}

    def change_subscription(self, fields: Row, name: str) -> Row:
        """Cancel at the end, go on, pause, or change the price."""
        row = self._one("subscription", name)
        if row["status"] == "canceled":
            raise BadRequest("A canceled subscription cannot be changed.", "id", "resource_missing")
        if "cancel_at_period_end" in fields:
            stop = fields["cancel_at_period_end"]
            ends = row["items"]["data"][0]["current_period_end"]
            row.update(
                cancel_at_period_end=stop,
                cancel_at=ends if stop else None,
                canceled_at=self.bank.now() if stop else None,
            )
        before = _interval(row)
        for item in fields.get("items") or []:
            self._change_price(row, item)
        if "trial_end" in fields or _interval(row) != before:
            self.bank.begin_anew(row, fields.get("trial_end"))
        if "discounts" in fields:
            off = self.bank.discount(fields, row["currency"])
            self.bank.put_discount(row, off)
        if "pause_collection" in fields:
            row["pause_collection"] = fields["pause_collection"] or None
        row["metadata"].update(fields.get("metadata") or {})
        self.store.put("subscription", name, row)
        self.bank.say("customer.subscription.updated", row)
        return row

    def _change_price(self, row: Row, item: Row) -> None:
        held = row["items"]["data"][0]
        if item.get("id") != held["id"] or "price_data" not in item:
            raise BadRequest("name the item and its new price_data", "items")
        price = item["price_data"]
        if price["currency"] != row["currency"]:
            raise BadRequest("the currency of a subscription cannot change", "items")
        held["price"] = {
            **held["price"],
            "unit_amount": price["unit_amount"],
            "recurring": price["recurring"],
        }

    def _open_portal(self, fields: Row) -> Row:
        self._one("customer", fields["customer"])
        name = self.bank.name("bps")
        row = {
            "id": name,
            "object": "billing_portal.session",
            "created": self.bank.now(),
            "customer": fields["customer"],
            "livemode": False,
            "return_url": fields.get("return_url"),
            "url": f"{self.base}/p/session/{name}",
        }
        return self.store.put("portal", name, row)

    def _answer_dispute(self, fields: Row, name: str) -> Row:
        row = self._one("dispute", name)
        if fields.get("submit") and row["status"] == "needs_response":
            row["evidence_details"].update(has_evidence=True, submission_count=1)
            self.bank.decide(name, "under_review")
        return row


def _interval(row: Row) -> str:
    return str(row["items"]["data"][0]["price"]["recurring"]["interval"])


def _fits(row: Row, wanted: Row) -> bool:
    """True if the row has the wanted values; lists answer for their members."""
    return all(
        row.get(name) in value if isinstance(value, list) else row.get(name) == value
        for name, value in wanted.items()
        if value is not None
    )


def _in_range(value: int, wanted: Any) -> bool:
    if not isinstance(wanted, Mapping):
        return bool(value == wanted)
    tests: dict[str, Callable[[int, int], bool]] = {
        "gt": int.__gt__,
        "gte": int.__ge__,
        "lt": int.__lt__,
        "lte": int.__le__,
    }
    return all(tests[name](value, bound) for name, bound in wanted.items())
