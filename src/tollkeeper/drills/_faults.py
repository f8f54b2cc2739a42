"""For each promise a fault that breaks it: what an operator, a developer or time could do.

A fault gets an :class:`Injector`; what it changes there is undone when its block ends, what it
writes into the book is rolled back by the caller.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from unittest import mock

from django.db import connection
from django.http import HttpResponse
from django.urls import get_resolver
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.forms import SignUp
from tollkeeper.accounts.models import User
from tollkeeper.core.personal import Inventory, Model, Personal, Plain
from tollkeeper.core.policy_nodes import Words
from tollkeeper.core.policy_schema import Policy
from tollkeeper.kit import append_only, audit
from tollkeeper.kit.job_kinds import KINDS, Kind
from tollkeeper.privacy import choices, discovery, erasing, policy_queries, requests
from tollkeeper.privacy.cookies import OnlyRegistered
from tollkeeper.proofs import census
from tollkeeper.proofs.context import Context
from tollkeeper.support import services as support

EMPTY = Words.model_construct(en="", zh="")


class Injector(ExitStack):
    """Changes that last as long as the block."""

    def attribute(self, owner: Any, name: str, value: Any) -> None:
        """Replace an attribute."""
        self.enter_context(mock.patch.object(owner, name, value))

    def view(self, name: str, view: Callable[..., HttpResponse]) -> None:
        """Let another view answer at the address called ``name``."""
        for pattern in _patterns(get_resolver().url_patterns):
            if pattern.name == name:
                self.attribute(pattern, "callback", view)

    def policy(self, change: Callable[[Policy], Policy]) -> None:
        """Let probes see another policy."""
        real = Context()
        changed, digest = change(real.policy), real.policy_hash
        self.attribute(Context, "policy", property(lambda _: changed))
        self.attribute(Context, "policy_hash", property(lambda _: digest))

    def inventory(self, label: str, **columns: Personal | Plain) -> None:
        """Let probes see other columns of a model."""
        full = discovery.inventory()
        entry = full.models[label]
        changed = Model(entry.path, {**entry.columns, **columns}, entry.keep, entry.note)
        other = Inventory({**full.models, label: changed}, full.tables)
        self.attribute(Context, "inventory", property(lambda _: other))


def _patterns(found: list[Any]) -> list[Any]:
    return [
        leaf
        for one in found
        for leaf in (_patterns(one.url_patterns) if hasattr(one, "url_patterns") else [one])
    ]


def sql(statement: str, *params: Any) -> None:
    """Write past every model, as a careless hand would."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def person() -> uuid.UUID:
    """Somebody with an address."""
    return accounts.create_person("fault@example.org", "correct-h0rse battery").pk


def answer(status: int, body: str = "") -> Callable[..., HttpResponse]:
    """A view that answers so."""
    return lambda request, *_, **__: HttpResponse(body, status=status)


def row(label: str, **facts: Any) -> Any:
    """A row of any table."""
    return census.model_of(label)._base_manager.create(**facts)


def _left(processor: str, fields: str) -> None:
    row(
        "trail.Disclosure", at=timezone.now(), processor=processor, purpose="order", fields=fields,
        size=1, outcome="sent",
    )  # fmt: skip


def _event(**facts: Any) -> None:
    usual = {
        "account": "x",
        "event_id": "evt_1",
        "type": "t",
        "object_id": "o",
        "livemode": False,
        "sha256": "x",
    }
    row("payments.InboxEvent", created_at=timezone.now(), **{**usual, **facts})


def wording_without_a_version(at: Injector) -> None:
    at.attribute(Context, "policy_hash", property(lambda _: "0" * 64))


def page_without_a_part(at: Injector) -> None:
    version = policy_queries.get_current()
    page = version.page("en")
    less = type(page)(page.title, page.language, tuple(s for s in page.sections if s.id != "security"))
    at.attribute(policy_queries.Version, "page", lambda *_: less)


def form_asks_for_more(at: Injector) -> None:
    at.attribute(SignUp, "base_fields", {**SignUp.base_fields, "phone": SignUp.base_fields["email"]})


def password_in_the_clear(at: Injector) -> None:
    person()
    sql("UPDATE accounts_user SET password = 'clear'")


def nickname_is_required(at: Injector) -> None:
    at.attribute(census.model_of("accounts.User")._meta.get_field("nickname"), "null", False)


def address_in_the_clear(at: Injector) -> None:
    person()
    sql("UPDATE accounts_user SET language = '10.1.2.3'")


def address_from_the_provider(at: Injector) -> None:
    _event(object_id="fault@example.org")


def cards_are_kept(at: Injector) -> None:
    at.attribute(support, "strike_cards", lambda text: text)


def ticket_in_the_clear(at: Injector) -> None:
    support.open_ticket("title", "words", contact="fault@example.org")
    sql("UPDATE support_message SET body = 'clear words'")


def undeclared_work(at: Injector) -> None:
    at.enter_context(mock.patch.dict(KINDS, {"x": Kind("x", lambda: None, "marketing", 1, 1.0, None)}))


def signing_in_reads_calls(at: Injector) -> None:
    at.inventory("accounts.User", last_login=Personal("usage.calls", "auth"))


def interest_never_balanced(at: Injector) -> None:
    def change(policy: Policy) -> Policy:
        purposes = dict(policy.purposes)
        purposes["security"] = purposes["security"].model_copy(update={"balanced_on": None})
        return policy.model_copy(update={"purposes": purposes})

    at.policy(change)


def address_names_a_counter(at: Injector) -> None:
    row("accounts.CacheEntry", cache_key=":1:fault@example.org", value="", expires=timezone.now())


def improvement_reads_people(at: Injector) -> None:
    at.inventory("accounts.User", language=Personal("account.settings", "auth", "improve"))


def answer_too_late(at: Injector) -> None:
    support.open_ticket("title", "words", contact="fault@example.org")
    census.model_of("support.Ticket")._base_manager.update(due_at=timezone.now() - dt.timedelta(hours=1))


def duty_without_reference(at: Injector) -> None:
    def change(policy: Policy) -> Policy:
        duties = {name: one.model_copy(update={"reference": "laws"}) for name, one in policy.duties.items()}
        return policy.model_copy(update={"duties": duties})

    at.policy(change)


def data_to_a_stranger(at: Injector) -> None:
    _left("data_broker", "email")


def more_to_the_payment_provider(at: Injector) -> None:
    _left(_kind("payment"), "amount,ip")


def _kind(kind: str) -> str:
    return next(name for name, one in Context().policy.recipients.items() if one.kind == kind)


def contract_ended(at: Injector, kind: str) -> None:
    """The contract with a kind of recipient ran out yesterday."""
    yesterday = timezone.now().date() - dt.timedelta(days=1)

    def change(policy: Policy) -> Policy:
        found = dict(policy.recipients)
        name = _kind(kind)
        ended = found[name].contract.model_copy(update={"until": yesterday})
        found[name] = found[name].model_copy(update={"contract": ended})
        return policy.model_copy(update={"recipients": found})

    at.policy(change)


def hosting_contract_ended(at: Injector) -> None:
    contract_ended(at, "hosting")


def authority_without_a_case(at: Injector) -> None:
    _left(_kind("authority"), "")


def more_to_the_mail_relay(at: Injector) -> None:
    _left(_kind("mail"), "to,ip")


def unregistered_cookie(at: Injector) -> None:
    def tracked(*_: Any, **__: Any) -> HttpResponse:
        answer = HttpResponse("plans /privacy/")
        answer.set_cookie("tracker", "1")
        return answer

    at.view("plans", tracked)
    at.attribute(OnlyRegistered, "_may", lambda *_: True)


def page_needs_a_cookie(at: Injector) -> None:
    at.view("account_login", answer(403))


def public_page_needs_a_cookie(at: Injector) -> None:
    at.view("plans", answer(403))


def live_without_tls(at: Injector) -> None:
    at.attribute(Context, "live", property(lambda _: True))


def sealed_value_replaced(at: Injector) -> None:
    who = person()
    accounts.set_nickname(who, "clear")
    sql("UPDATE accounts_user SET nickname = 'clear' WHERE nickname IS NOT NULL")


def desk_for_everybody(at: Injector) -> None:
    at.view("desk", answer(200))


def trail_was_changed(at: Injector) -> None:
    audit.record("fault.first")
    with append_only.cleared("trail_entry", "drill"):
        sql("UPDATE trail_entry SET verb = 'nothing'")


def row_past_its_period(at: Injector) -> None:
    late = timezone.now() - dt.timedelta(days=60)
    row("sessions.Session", session_key="t1x", session_data="t1.a.b", expire_date=late)


def erasure_leaves_rows(at: Injector) -> None:
    at.attribute(erasing, "_delete", lambda model, rows: 0)


def correction_is_lost(at: Injector) -> None:
    at.attribute(accounts, "set_nickname", lambda *_: None)


def dashboard_counts_more(at: Injector) -> None:
    customer = accounts.ensure_customer(User.objects.get(pk=person()))
    now = timezone.now()
    facts = {"key_id": 1, "customer_id": customer, "route": "r", "unit": "calls", "units": 1}
    sizes = {"bytes_in": 1, "bytes_out": 1, "latency_us": 1, "status": 200, "outcome": 0}
    row("usage.Call", request_id="req_x", gate_id="g", method="GET", called_at=now, **facts, **sizes)
    day = now.date()
    row("usage.Day", customer_id=customer, day=day, key_id=1, route="r", unit="calls", ok=2, units=2)


def kept_without_a_ground(at: Injector) -> None:
    def change(policy: Policy) -> Policy:
        keep = {name: rule.model_copy(update={"ground": EMPTY}) for name, rule in policy.keep.items()}
        return policy.model_copy(update={"keep": keep})

    at.policy(change)


def objection_is_ignored(at: Injector) -> None:
    at.attribute(choices, "may", lambda *_: True)


def form_is_closed(at: Injector) -> None:
    at.view("privacy_request", answer(404))


def age_is_not_asked(at: Injector) -> None:
    fields = dict(SignUp.base_fields)
    fields.pop("old_enough")
    at.attribute(SignUp, "base_fields", fields)
    at.attribute(SignUp, "__init__", SignUp.__mro__[1].__init__)


def report_waits_too_long(at: Injector) -> None:
    number = requests.open_request("minor", channel="form", contact="fault@example.org", words="x")
    past = timezone.now().date() - dt.timedelta(days=1)
    census.model_of("privacy.Request")._base_manager.filter(number=number).update(due_on=past)


def old_version_was_changed(at: Injector) -> None:
    with append_only.cleared("privacy_policyversion", "drill"):
        sql("UPDATE privacy_policyversion SET documents = replace(documents, 'Privacy', 'Publicity')")


def started_before_it_was_told(at: Injector) -> None:
    now = timezone.now()
    told = [
        replace(one, material=True, activated_at=now, announced_at=now + dt.timedelta(days=1))
        for one in policy_queries.list_public()
    ]
    at.attribute(policy_queries, "list_public", lambda: told)


def contact_page_is_empty(at: Injector) -> None:
    at.view("contact", answer(200, "<form></form> /privacy/"))


FAULTS: dict[str, Callable[[Injector], None]] = {
    "T-01": wording_without_a_version,
    "T-02": page_without_a_part,
    "T-03": form_asks_for_more,
    "T-04": password_in_the_clear,
    "T-05": nickname_is_required,
    "T-06": address_in_the_clear,
    "T-07": address_from_the_provider,
    "T-08": cards_are_kept,
    "T-09": ticket_in_the_clear,
    "T-10": undeclared_work,
    "T-11": signing_in_reads_calls,
    "T-12": interest_never_balanced,
    "T-13": address_names_a_counter,
    "T-14": improvement_reads_people,
    "T-15": answer_too_late,
    "T-16": duty_without_reference,
    "T-17": data_to_a_stranger,
    "T-18": more_to_the_payment_provider,
    "T-19": hosting_contract_ended,
    "T-20": authority_without_a_case,
    "T-21": more_to_the_mail_relay,
    "T-22": unregistered_cookie,
    "T-23": page_needs_a_cookie,
    "T-24": public_page_needs_a_cookie,
    "T-25": live_without_tls,
    "T-26": sealed_value_replaced,
    "T-27": desk_for_everybody,
    "T-28": trail_was_changed,
    "T-29": row_past_its_period,
    "T-30": erasure_leaves_rows,
    "T-31": correction_is_lost,
    "T-32": dashboard_counts_more,
    "T-33": kept_without_a_ground,
    "T-34": objection_is_ignored,
    "T-35": form_is_closed,
    "T-36": age_is_not_asked,
    "T-37": report_waits_too_long,
    "T-38": old_version_was_changed,
    "T-39": started_before_it_was_told,
    "T-40": contact_page_is_empty,
}
"""The fault of each promise of TwtAPI."""

DEPENDS: dict[str, frozenset[str]] = {
    "T-02": frozenset({"T-01"}),  # the page's hash covers its parts
    "T-09": frozenset({"T-26"}),  # tickets are among what is sealed
    "T-18": frozenset({"T-21"}),  # what one recipient gets is among what all get
    "T-19": frozenset({"T-21"}),
    "T-30": frozenset({"T-33"}),  # what stays is looked at after an erasure
    "T-23": frozenset({"T-22"}),  # a page that does not answer cannot show its cookies
    "T-24": frozenset({"T-22", "T-23"}),
}
"""Promises that may turn red with another one's fault, because they promise a part of the same."""
