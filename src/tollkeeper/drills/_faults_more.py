"""The faults of GetToken's promises: those of the same probes, and some of their own."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.utils import timezone

from tollkeeper.core.personal import Plain
from tollkeeper.core.policy_nodes import Words
from tollkeeper.core.policy_schema import Policy
from tollkeeper.drills import _faults as base
from tollkeeper.drills._faults import Injector
from tollkeeper.privacy import breaches, checks, requests, restrictions
from tollkeeper.privacy.canary import Hit
from tollkeeper.privacy.rendering import notices
from tollkeeper.proofs import census, gateway, rights
from tollkeeper.proofs.context import Answer, Context

_YEARS = dt.timedelta(days=4_000)


def _headers(at: Injector, *without: str) -> None:
    """Let every answer lack some headers."""
    real = Context.get

    def bare(self: Context, path: str, headers: dict[str, str] | None = None) -> Answer:
        answer = real(self, path, headers)
        return replace(answer, headers={n: v for n, v in answer.headers.items() if n not in without})

    at.attribute(Context, "get", bare)


def undeclared_column(at: Injector) -> None:
    at.attribute(checks, "declared", lambda: [checks._error(1, "not declared", "x.Y.z")])


def operator_is_a_placeholder(at: Injector) -> None:
    at.attribute(Context, "live", property(lambda _: True))


def consent_by_use(at: Injector) -> None:
    words = Words(en="By using this service you agree to this policy.", zh="…")

    def change(policy: Policy) -> Policy:
        return policy.model_copy(update={"use": policy.use.model_copy(update={"text": words})})

    at.policy(change)


def more_than_a_hash_of_a_key(at: Injector) -> None:
    at.attribute(gateway, "scan", lambda _: iter([Hit("default: delivery_key.name", 0)]))


def pages_are_recorded(at: Injector) -> None:
    at.inventory("accounts.User", page_visits=Plain("count"))


def purpose_without_necessity(at: Injector) -> None:
    def change(policy: Policy) -> Policy:
        silent = {
            name: one.model_copy(update={"necessity": base.EMPTY}) for name, one in policy.purposes.items()
        }
        return policy.model_copy(update={"purposes": silent})

    at.policy(change)


def figures_of_few(at: Injector) -> None:
    at.policy(lambda policy: policy.model_copy(update={"use": policy.use.model_copy(update={"k": 5})}))


def upstream_is_told_more(at: Injector) -> None:
    at.attribute(gateway, "_PASS", set())


def pages_may_report_elsewhere(at: Injector) -> None:
    _headers(at, "content-security-policy")


def addresses_of_pages_leak(at: Injector) -> None:
    _headers(at, "referrer-policy")


def cookie_for_every_site(at: Injector) -> None:
    real = Context.get

    def loose(self: Context, path: str, headers: dict[str, str] | None = None) -> Answer:
        answer = real(self, path, headers)
        return replace(answer, cookies={name: f"{name}; Path=/" for name in answer.cookies})

    at.attribute(Context, "get", loose)


def mail_contract_ended(at: Injector) -> None:
    base.contract_ended(at, "mail")


def first_transfer_ended(at: Injector) -> None:
    yesterday = timezone.now().date() - dt.timedelta(days=1)

    def change(policy: Policy) -> Policy:
        found = {
            name: one.model_copy(update={"transfer": one.transfer.model_copy(update={"until": yesterday})})
            for name, one in policy.recipients.items()
        }
        return policy.model_copy(update={"recipients": found})

    at.policy(change)


def stores_without_a_country(at: Injector) -> None:
    def change(policy: Policy) -> Policy:
        return policy.model_copy(update={"transfers": policy.transfers.model_copy(update={"places": {}})})

    at.policy(change)


def form_without_a_notice(at: Injector) -> None:
    at.attribute(rights, "FORMS", {**notices.FORMS, "newsletter": None})


def restriction_is_ignored(at: Injector) -> None:
    at.attribute(restrictions, "stop", lambda *_: "")


def nothing_to_take_along(at: Injector) -> None:
    at.attribute(rights, "copy_of", lambda _: iter(()))


def authority_was_not_told(at: Injector) -> None:
    breaches.open_breach("drill")
    late = timezone.now() - dt.timedelta(hours=1)
    census.model_of("privacy.Breach")._base_manager.update(authority_due_at=late)


def accounts_can_be_guessed(at: Injector) -> None:
    at.attribute(settings, "ACCOUNT_PREVENT_ENUMERATION", False)


def _old(label: str, column: str, **facts: Any) -> None:
    base.row(label, **facts, **{column: timezone.now() - _YEARS})


def old_payer(at: Injector) -> None:
    customer = census.model_of("accounts.Customer")._base_manager.create()
    _old("payments.Payer", "created_at", customer_id=customer.pk, provider="x", reference="y", live=False)


def old_grant(at: Injector) -> None:
    customer = census.model_of("accounts.Customer")._base_manager.create(owner_id=base.person())
    now = timezone.now()
    facts = {"key": "x", "customer_id": customer.pk, "unit": "calls", "amount": 0, "remaining": 0}
    _old("usage.Grant", "created_at", effective_at=now, source="x", **facts)


def old_log_file(at: Injector) -> None:
    path = settings.ENV.home / "logs" / "drill-old.log"
    path.parent.mkdir(exist_ok=True)
    path.touch()
    at.callback(path.unlink)
    os.utime(path, (0, 0))


def old_ticket(at: Injector) -> None:
    now = timezone.now()
    _old("support.Ticket", "closed_at", title="x", due_at=now, state="closed")


def feed_is_gone(at: Injector) -> None:
    at.view("privacy_feed", base.answer(404))


def request_is_late(at: Injector) -> None:
    number = requests.open_request("access", channel="form", contact="fault@example.org")
    past = timezone.now().date() - dt.timedelta(days=1)
    census.model_of("privacy.Request")._base_manager.filter(number=number).update(due_on=past)


_SAME = {
    "G-02": "T-01", "G-04": "T-10", "G-07": "T-02", "G-10": "T-03", "G-12": "T-09", "G-13": "T-06",
    "G-16": "T-11", "G-17": "T-12", "G-18": "T-10", "G-19": "T-15", "G-20": "T-12", "G-21": "T-14",
    "G-23": "T-17", "G-24": "T-17", "G-25": "T-18", "G-27": "T-19", "G-30": "T-21", "G-31": "T-22",
    "G-32": "T-22", "G-34": "T-23", "G-37": "T-31", "G-38": "T-31", "G-39": "T-30", "G-42": "T-34",
    "G-43": "T-35", "G-44": "T-25", "G-45": "T-26", "G-46": "T-27", "G-48": "T-28", "G-54": "T-36",
    "G-55": "T-37", "G-56": "T-37", "G-57": "T-29", "G-58": "T-30", "G-63": "T-29", "G-64": "T-38",
    "G-65": "T-39", "G-67": "T-40", "G-69": "T-35", "G-06": "T-35", "G-05": "T-26", "G-01": "T-19",
    "G-47": "T-19", "G-53": "T-19",
}  # fmt: skip

MORE: dict[str, Callable[[Injector], None]] = {
    **{name: base.FAULTS[other] for name, other in _SAME.items()},
    "G-03": undeclared_column,
    "G-08": operator_is_a_placeholder,
    "G-09": consent_by_use,
    "G-11": more_than_a_hash_of_a_key,
    "G-14": pages_are_recorded,
    "G-15": purpose_without_necessity,
    "G-22": figures_of_few,
    "G-26": upstream_is_told_more,
    "G-28": pages_may_report_elsewhere,
    "G-29": mail_contract_ended,
    "G-33": cookie_for_every_site,
    "G-35": addresses_of_pages_leak,
    "G-36": form_without_a_notice,
    "G-40": restriction_is_ignored,
    "G-41": nothing_to_take_along,
    "G-49": authority_was_not_told,
    "G-50": accounts_can_be_guessed,
    "G-51": stores_without_a_country,
    "G-52": first_transfer_ended,
    "G-53": first_transfer_ended,
    "G-59": old_payer,
    "G-60": old_grant,
    "G-61": old_log_file,
    "G-62": old_ticket,
    "G-66": feed_is_gone,
    "G-68": request_is_late,
}
"""The fault of each promise of GetToken. Promises with the same fault turn red together."""

_CONTRACTS = frozenset({"G-01", "G-25", "G-27", "G-29", "G-30", "G-47", "G-52", "G-53"})
_ROLL_UP = frozenset({"G-05"})

DEPENDS_MORE: dict[str, frozenset[str]] = {
    **dict.fromkeys(_CONTRACTS, _CONTRACTS),  # contracts and tools are looked at by all of them
    "G-07": frozenset({"G-02"}),  # the page's hash covers its parts
    "G-12": frozenset({"G-05", "G-45"}),
    "G-45": _ROLL_UP,
    "G-46": _ROLL_UP,
    "G-44": frozenset({"G-05", "G-08", "G-33", "G-68"}),  # a shop that is live is held to more
    "G-08": frozenset({"G-05", "G-33", "G-44", "G-68"}),
    "G-05": frozenset({"G-45"}),
    "G-14": frozenset({"G-13"}),
    "G-17": frozenset({"G-15"}),  # a purpose that was never balanced contradicts the policy's rules
    "G-20": frozenset({"G-15"}),
    "G-28": frozenset({"G-25", "G-35"}),
    "G-34": frozenset({"G-31", "G-32", "G-33"}),
    "G-37": frozenset({"G-41"}),
    "G-38": frozenset({"G-41"}),
    "G-41": frozenset({"G-37", "G-38"}),
    **dict.fromkeys(("G-39", "G-58"), frozenset({"G-59"})),  # the vault is looked at after an erasure
    **dict.fromkeys(("G-55", "G-56"), frozenset({"G-68"})),
    **dict.fromkeys(("G-59", "G-60", "G-62"), frozenset({"G-57", "G-63"})),
}
"""As ``_faults.DEPENDS``."""
