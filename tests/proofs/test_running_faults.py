"""Faults that turn promises red: each is injected, and its row says so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from tollkeeper import proofs
from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.forms import SignUp
from tollkeeper.accounts.models import CacheEntry, User
from tollkeeper.core.personal import Model, Personal
from tollkeeper.kit import sealed
from tollkeeper.payments.models import InboxEvent
from tollkeeper.privacy import choices, discovery
from tollkeeper.privacy.cookies import OnlyRegistered
from tollkeeper.proofs.context import Context
from tollkeeper.support import services as support
from tollkeeper.support.models import Ticket

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
Patch = pytest.MonkeyPatch


def _sql(statement: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def _person() -> User:
    return accounts.create_person("ada@example.org", "correct-h0rse battery")


def _open_password(_: Patch) -> None:
    _person()
    _sql("UPDATE accounts_user SET password = 'clear'")


def _asks_for_more(patch: Patch) -> None:
    patch.setattr(
        SignUp, "base_fields", {**SignUp.base_fields, "phone": SignUp.base_fields["email"]}
    )


def _clear_address_in_language(_: Patch) -> None:
    _person()
    _sql("UPDATE accounts_user SET language = '10.1.2.3'")


def _card_in_event(_: Patch) -> None:
    InboxEvent.objects.create(
        account="default", event_id="evt_1", type="4242424242424242", object_id="x", livemode=False,
        created_at=timezone.now(), sha256="x",
    )  # fmt: skip


def _address_in_event(_: Patch) -> None:
    InboxEvent.objects.create(
        account="default", event_id="evt_1", type="t", object_id="ada@example.org", livemode=False,
        created_at=timezone.now(), sha256="x",
    )  # fmt: skip


def _cards_are_kept(patch: Patch) -> None:
    patch.setattr(support, "strike_cards", lambda text: text)


def _clear_ticket(_: Patch) -> None:
    support.open_ticket("title", "words", contact="ada@example.org")
    _sql("UPDATE support_ticket SET title = 'clear words'")


def _used_for_more(patch: Patch) -> None:
    full = discovery.inventory()
    user = full.models["accounts.User"]
    more = {**user.columns, "language": Personal("account.settings", "security")}
    changed = {**full.models, "accounts.User": Model("self", more, user.keep)}
    patch.setattr(Context, "inventory", property(lambda self: type(full)(changed, full.tables)))


def _cache_in_the_clear(_: Patch) -> None:
    CacheEntry.objects.create(cache_key=":1:login:ada@example.org", value="", expires=timezone.now())


def _late_answer(_: Patch) -> None:
    support.open_ticket("title", "words", contact="ada@example.org")
    Ticket.objects.update(due_at=timezone.now() - dt.timedelta(hours=1))


def _unregistered_cookie(patch: Patch) -> None:
    from tollkeeper.web import storefront  # noqa: PLC0415

    plain = storefront.plans

    def tracked(request: HttpRequest) -> HttpResponse:
        answer = plain(request)
        answer.set_cookie("tracker", "1")
        return answer

    _swap_view(patch, "plans", tracked)
    patch.setattr(OnlyRegistered, "_may", lambda *_: True)  # the guard sleeps, too


def _swap_view(patch: Patch, name: str, view: Callable[..., HttpResponse]) -> None:
    from django.urls import get_resolver  # noqa: PLC0415

    for pattern in get_resolver().url_patterns:
        if getattr(pattern, "name", None) == name:
            patch.setattr(pattern, "callback", view)


def _sealing_stopped(patch: Patch) -> None:
    patch.setattr(sealed, "seal", lambda subject, value, context: f"s1.{subject.hex}.{value}")


def _old_session(_: Patch) -> None:
    _sql(
        "INSERT INTO django_session (session_key, session_data, expire_date) VALUES ('t1x', 't1.a.b', %s)",
        timezone.now() - dt.timedelta(days=60),
    )


def _nickname_is_not_kept(patch: Patch) -> None:
    patch.setattr(accounts, "set_nickname", lambda *_: None)


def _objection_is_ignored(patch: Patch) -> None:
    patch.setattr(choices, "may", lambda *_: True)


def _page_changed(_: Patch) -> None:
    patched = "UPDATE privacy_policyversion SET documents = replace(documents, 'Privacy', 'Publicity')"
    with _unguarded():
        _sql(patched)


@contextmanager
def _unguarded() -> Iterator[None]:
    from tollkeeper.kit import append_only  # noqa: PLC0415

    with transaction.atomic(), append_only.cleared("privacy_policyversion", "a test"):
        yield


FAULTS: list[tuple[str, Callable[[Patch], None]]] = [
    ("T-03", _asks_for_more),
    ("T-04", _open_password),
    ("T-06", _clear_address_in_language),
    ("T-07", _address_in_event),
    ("T-08", _card_in_event),
    ("T-08", _cards_are_kept),
    ("T-09", _clear_ticket),
    ("T-10", _used_for_more),
    ("T-13", _cache_in_the_clear),
    ("T-15", _late_answer),
    ("T-22", _unregistered_cookie),
    ("T-26", _clear_ticket),
    ("T-29", _old_session),
    ("T-31", _nickname_is_not_kept),
    ("T-34", _objection_is_ignored),
    ("T-38", _page_changed),
]


@pytest.mark.parametrize(("promise", "inject"), FAULTS, ids=lambda one: getattr(one, "__name__", one))
def test_a_fault_turns_its_row_red(promise: str, inject: Callable[[Patch], None], monkeypatch: Patch) -> None:
    (before,) = proofs.run([promise])
    assert before.status in ("PROVEN", "ATTESTED"), before.evidence
    inject(monkeypatch)
    (after,) = proofs.run([promise])
    assert after.status == "BROKEN", after.evidence
    assert "ada@example.org" not in str(after)
