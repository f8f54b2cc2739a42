"""Stripe: hosted Checkout, subscriptions, refunds and disputes through the official SDK.

Only opaque ids, amounts and the words of our own offers are sent: no name, no address, no
e-mail; the payer types those into Stripe's page. One ``StripeClient`` per installation,
its address taken from the options, so that a stand-in answers in the demo and in tests
while the code stays the same. Facts: https://docs.stripe.com/api, version pinned below.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import stripe
from stripe import StripeClient

from tollkeeper.core.settlement import Collected, RefundFact, SubscriptionFact
from tollkeeper.core.terms import OffTerms
from tollkeeper.payments.providers import (
    Asked,
    Evidence,
    Hint,
    Intent,
    Item,
    Located,
    Missing,
    Moved,
    Processor,
    Refused,
    Rhythm,
    Started,
    Taken,
    Unsure,
    _stripe_bills,
    _stripe_lists,
    _stripe_objects,
    _stripe_plans,
)
from tollkeeper.payments.providers._stripe_events import read_event
from tollkeeper.payments.providers._stripe_facts import (
    dispute_facts,
    instant,
    invoice_facts,
    plain,
    refund_facts,
    session_facts,
    subscription_facts,
    to_stripe,
)

API_VERSION = "2026-10-28.endive"
"""Pinned together with the SDK and the webhook endpoint; the start-up check compares all three."""

SDK_VERSION = stripe.api_version
"""The version that the installed SDK was made for."""

PROCESSOR = Processor(
    name="Stripe Payments Europe, Ltd.",
    country="IE",
    purpose="order",
    data=("order number", "amount and currency", "opaque customer id", "what the payer types on its page"),
    policy_url="https://stripe.com/privacy",
)

LOCALES = {"en": "en", "de": "de", "zh-hans": "zh", "fr": "fr", "es": "es"}
T = TypeVar("T")


class StripeProvider:
    """The adapter. Stripe's objects end here; what leaves are our own facts."""

    name = "stripe"
    remote = True
    open_for = dt.timedelta(hours=23)

    def __init__(
        self,
        key: str,
        secrets: tuple[str, ...],
        base: str = "",
        live: bool = False,
        http_client: stripe.HTTPClient | None = None,
        account: str = "stripe",
    ) -> None:
        self.live = live
        self.account = account
        self._secrets = secrets
        self._key = key
        addresses: Any = {"api": base} if base else {}
        self._client = StripeClient(
            key or "sk_test_unset",
            stripe_version=API_VERSION,
            base_addresses=addresses,
            http_client=http_client or stripe.RequestsClient(timeout=15),
            max_network_retries=2,
        )

    # ---- asking

    def _ask(self, call: Callable[[], T]) -> T:
        if not self._key:
            raise Refused("no_api_key")
        try:
            return call()
        except stripe.InvalidRequestError as error:
            code = error.code or "invalid_request"
            raise (Missing(code) if code == "resource_missing" else Refused(code)) from error
        except stripe.IdempotencyError as error:
            raise Refused("idempotency") from error
        except (stripe.AuthenticationError, stripe.PermissionError) as error:
            raise Refused("credentials") from error
        except stripe.CardError as error:
            raise Refused(error.code or "card") from error
        except stripe.StripeError as error:
            raise Unsure(type(error).__name__) from error

    def start(self, intent: Intent) -> Started:
        """A Checkout Session: ``payment`` for what is bought once, ``subscription`` for what renews."""
        if intent.draws_on:
            return _stripe_bills.draw(self._client, self._ask, intent)
        links = {"order": intent.order, "attempt": intent.attempt}
        items: list[Any] = []
        for item in intent.items:
            price: dict[str, Any] = {
                "currency": intent.currency.lower(),
                "unit_amount": to_stripe(item.unit_minor, intent.currency),
                "product_data": {"name": item.title},
            }
            if intent.period:
                price["recurring"] = {"interval": intent.period}
            items.append({"price_data": price, "quantity": item.quantity})
        params: dict[str, Any] = {
            "mode": "subscription" if intent.period else "payment",
            "line_items": items,
            "client_reference_id": intent.order,
            "metadata": links,
            "success_url": intent.success_url,
            "cancel_url": intent.cancel_url,
            "expires_at": int(intent.expires_at.timestamp()),
            "locale": LOCALES.get(intent.language, "auto"),
        }
        if intent.period:
            params["subscription_data"] = {"metadata": {**links, "customer": intent.customer}}
            if intent.trial_days:
                ending = {"end_behavior": {"missing_payment_method": "cancel"}}
                params["subscription_data"].update(trial_period_days=intent.trial_days, trial_settings=ending)
                params["payment_method_collection"] = "always" if intent.card else "if_required"
        else:
            params["payment_intent_data"] = {"metadata": {**links, "customer": intent.customer}}
        if intent.off is not None:
            params["discounts"] = [{"coupon": self._coupon(intent.off, intent.currency)}]
        if intent.payer:
            params["customer"] = intent.payer
        elif not intent.period:
            params["customer_creation"] = "if_required"
        session = plain(
            self._ask(
                lambda: self._client.v1.checkout.sessions.create(
                    params,  # type: ignore[arg-type]
                    {"idempotency_key": intent.key},
                )
            )
        )
        return Started(session["id"], session.get("url") or "")

    def _coupon(self, off: OffTerms, currency: str) -> str:
        """The coupon at Stripe that takes exactly that off; made once, the same for everybody."""
        word = {"once": "once", "months": "repeating", "forever": "forever"}[off.duration]
        name = f"tk-{off.minor}-{currency.lower()}-{off.duration}{off.months or ''}"
        params: Any = {
            "id": name,
            "amount_off": to_stripe(off.minor, currency),
            "currency": currency.lower(),
            "duration": word,
        }
        if off.duration == "months":
            params["duration_in_months"] = off.months
        try:
            self._ask(lambda: self._client.v1.coupons.create(params))
        except Refused as error:
            if error.code != "resource_already_exists":
                raise
        return name

    def find(self, intent: Intent) -> Started | None:
        """Page through the sessions made since the attempt and compare our own id."""
        since = int(intent.created_at.timestamp()) - 60
        if intent.draws_on:
            return _stripe_bills.find(self._client, self._ask, intent)
        until = since + 26 * 3600
        pages = self._ask(
            lambda: self._client.v1.checkout.sessions.list(
                {"created": {"gte": since, "lte": until}, "limit": 100}
            )
        )
        for session in self._ask(lambda: list(pages.auto_paging_iter())):
            facts = plain(session)
            if (facts.get("metadata") or {}).get("attempt") == intent.attempt:
                return Started(facts["id"], facts.get("url") or "")
        return None

    def fetch(self, asked: Asked) -> Collected:
        """The session (or, for a renewal, the invoice) with its payment, refunds and disputes."""
        v1 = self._client.v1
        if asked.reference.startswith("in_"):
            expand = ["payments", "parent.subscription_details.subscription"]
            bill = self._ask(lambda: v1.invoices.retrieve(asked.reference, {"expand": expand}))
            facts, disputed = invoice_facts(plain(bill), asked.order), True
        else:
            expand = ["payment_intent.latest_charge", "subscription", "invoice.payments"]
            row = self._ask(lambda: v1.checkout.sessions.retrieve(asked.reference, {"expand": expand}))
            session = plain(row)
            payment = session.get("payment_intent")
            charge = payment.get("latest_charge") if isinstance(payment, dict) else None
            facts, disputed = session_facts(session), not isinstance(charge, dict) or charge["disputed"]
        if facts.state != "succeeded" or not facts.payment:
            return facts
        refunds = [refund_facts(r, facts.currency) for r in self._all(v1.refunds, facts.payment)]
        disputes = (
            [dispute_facts(r, facts.currency) for r in self._all(v1.disputes, facts.payment)]
            if disputed
            else []
        )
        return replace(facts, refunds=tuple(refunds), disputes=tuple(disputes))

    def _all(self, service: Any, payment: str) -> list[Any]:
        page = self._ask(lambda: service.list({"payment_intent": payment, "limit": 100}))
        return [plain(row) for row in self._ask(lambda: list(page.auto_paging_iter()))]

    # ---- acting

    def expire(self, reference: str) -> None:
        """Close an open session or invoice; what is complete or expired already is left as it is."""
        v1 = self._client.v1
        try:
            if reference.startswith("in_"):
                self._ask(lambda: v1.invoices.void_invoice(reference))
            else:
                self._ask(lambda: v1.checkout.sessions.expire(reference))
        except Refused as error:
            if error.code in ("credentials", "no_api_key"):
                raise

    def refund(self, refund: str, payment: str, amount_minor: int, currency: str, order: str) -> RefundFact:
        """Give back ``amount_minor`` of a payment; ``refund`` is our own row's id."""
        params: Any = {
            "payment_intent": payment,
            "amount": to_stripe(amount_minor, currency),
            "metadata": {"refund": refund, "order": order},
        }
        row = self._ask(lambda: self._client.v1.refunds.create(params, {"idempotency_key": f"re:{refund}"}))
        return refund_facts(plain(row), currency)

    def subscription(self, reference: str) -> SubscriptionFact:
        """The present truth of a subscription."""
        wanted: Any = {"expand": ["latest_invoice"]}
        row = self._ask(lambda: self._client.v1.subscriptions.retrieve(reference, wanted))
        return subscription_facts(plain(row))

    def cancel(self, reference: str, *, at_end: bool) -> None:
        """End a subscription; one that Stripe does not know any more has ended."""
        service = self._client.v1.subscriptions
        try:
            if at_end:
                self._ask(lambda: service.update(reference, {"cancel_at_period_end": True}))
            else:
                self._ask(lambda: service.cancel(reference))
        except Missing:
            return

    def pause(self, reference: str) -> None:
        """Invoices of the time of pause are void from the beginning."""
        service = self._client.v1.subscriptions
        self._ask(lambda: service.update(reference, {"pause_collection": {"behavior": "void"}}))

    def resume(self, reference: str) -> None:
        """Let a subscription go on after all."""
        service = self._client.v1.subscriptions
        params: Any = {"cancel_at_period_end": False, "pause_collection": ""}
        self._ask(lambda: service.update(reference, params))

    def change(
        self,
        reference: str,
        item: Item,
        currency: str,
        key: str,
        off: OffTerms | None = None,
        rhythm: Rhythm | None = None,
    ) -> None:
        """Another price from the next period on; what is due for the present one is an order of ours."""
        coupon = self._coupon(off, currency) if off is not None else ""
        amount = item.unit_minor, currency
        _stripe_plans.change(self._client, self._ask, reference, amount, key, coupon, rhythm)

    def portal(self, payer: str, back: str) -> str:
        """A session of the Customer Portal."""
        params: Any = {"customer": payer, "return_url": back}
        return str(plain(self._ask(lambda: self._client.v1.billing_portal.sessions.create(params)))["url"])

    def contest(self, dispute: str, evidence: Evidence) -> None:
        """Hand the evidence in; what is handed in cannot be changed any more."""
        params: Any = {
            "evidence": {
                "product_description": evidence.product,
                "service_date": evidence.served_on,
                "access_activity_log": evidence.activity,
                "uncategorized_text": evidence.rest,
            },
            "submit": True,
        }
        key = f"ev:{dispute}:{hashlib.sha256(repr(evidence).encode()).hexdigest()[:16]}"
        self._ask(lambda: self._client.v1.disputes.update(dispute, params, {"idempotency_key": key}))

    def taken(self, since: dt.datetime) -> tuple[Taken, ...]:
        """Completed sessions; renewals are asked for by their subscription."""
        return _stripe_lists.taken(self._client, self._ask, since)

    def moved(self, since: dt.datetime, until: dt.datetime) -> tuple[Moved, ...]:
        """Charges, refunds and disputes among the balance transactions."""
        return _stripe_lists.moved(self._client, self._ask, since, until)

    def deaf(self, url: str) -> tuple[str, ...]:
        """Compare the webhook endpoint with what this adapter was written for."""
        return _stripe_lists.deaf(self._client, self._ask, url, API_VERSION)

    def forget(self, payer: str) -> None:
        """Delete the customer object; Stripe keeps what the law makes it keep."""
        try:
            self._ask(lambda: self._client.v1.customers.delete(payer))
        except Missing:
            return

    # ---- being told

    def read_event(self, body: bytes, signature: str, now: dt.datetime) -> Hint:
        """Check the signature (several secrets while rotating), both ends of its age, and the form."""
        return read_event(body, signature, now, self._secrets, self.account)

    def missed(self, since: dt.datetime) -> tuple[Hint, ...]:
        """Events whose delivery failed; they come over our own authenticated line, so no signature."""
        params: Any = {
            "delivery_success": False,
            "created": {"gte": int(since.timestamp())},
            "limit": 100,
        }
        page = self._ask(lambda: self._client.v1.events.list(params))
        rows = [plain(row) for row in self._ask(lambda: list(page.auto_paging_iter()))]
        return tuple(
            Hint(
                account=self.account,
                event_id=row["id"],
                type=row["type"][:80],
                object_id=str(row["data"]["object"].get("id", ""))[:255],
                livemode=row["livemode"],
                api_version=row.get("api_version") or "",
                created_at=instant(row["created"]),
                sha256=hashlib.sha256(row["id"].encode()).hexdigest(),
            )
            for row in rows
        )

    def locate(self, kind: str, object_id: str) -> Located:
        """Which order, session, payment, subscription or payer an object belongs to."""
        return _stripe_objects.locate(self._client, self._ask, kind, object_id)


def build(options: Mapping[str, Any]) -> StripeProvider:
    """``options``: ``key``, ``secrets`` (tuple), ``base``, ``live``; ``session``, the HTTP client that
    reaches nobody else; ``http_client`` for tests."""
    client = options.get("http_client")
    if client is None and options.get("session") is not None:
        client = stripe.RequestsClient(timeout=15, session=options["session"])
    return StripeProvider(
        key=options.get("key", ""),
        secrets=tuple(options.get("secrets", ())),
        base=options.get("base", ""),
        live=bool(options.get("live", False)),
        http_client=client,
    )
