"""A request from its arrival to its answer: whoever somebody is, whatever state their account is in."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.catalog.services import load_shop
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import restriction, subject_request
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import job_runner
from tollkeeper.kit.models import Job
from tollkeeper.privacy import choices, copies, letters, restrictions
from tollkeeper.privacy.models import Request
from tollkeeper.sales.models import Order

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
ADA = "ada@example.org"
PASSWORD = "correct-h0rse battery"


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    cache.clear()
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


@pytest.fixture
def ada() -> User:
    user = accounts.create_person(ADA, PASSWORD)
    accounts.ensure_customer(user)
    return user


def order_of(user: User, **facts: Any) -> str:
    return Order.objects.create(
        customer_id=accounts.ensure_customer(user),
        currency="USD",
        total_minor=100,
        offer=uuid.uuid4().hex,
        **facts,
    ).number


def work() -> None:
    while context := job_runner.claim(["mail_request", "build_copy", "mail_copy_ready", "mail_closing"]):
        assert job_runner.run(context) == "done", Job.objects.get(pk=context.job_id).error_class


def link_in(mail: Any) -> str:
    found = re.search(r"https?://[^/]+(/privacy/request/\S+)", mail.body)
    assert found
    return found[1]


def ask(client: Client, kind: str = "access", contact: str = ADA, **said: str) -> str:
    answer = client.post("/privacy/request/", {"kind": kind, "contact": contact, "words": "", **said})
    assert answer.status_code == 302
    work()
    return Request.objects.latest("pk").number


def test_the_receipt_names_reference_and_day_and_leads_to_the_case(ada: User, mailoutbox: list[Any]) -> None:
    client = Client()
    number = ask(client)
    (mail,) = mailoutbox
    row = Request.objects.get(number=number)
    assert mail.to == [ADA]
    assert number in mail.subject
    assert f"{row.due_on:%-d}" in mail.body
    assert (row.state, row.paused_at, row.level, row.needs) == ("verifying", None, 0, 2)
    link = link_in(mail)
    page = client.get(link).content.decode()
    assert "Is this your request?" in page
    assert Request.objects.get(number=number).level == 0, "a program that only opens links shows nothing"
    client.post(link, {"act": "address"})
    assert "One more step" in client.get(link).content.decode()
    assert client.get(link[:-2] + "x/").status_code == 404
    assert [one.event for one in letters.letters_of(number)] == ["receipt"]
    subject_request.write(number, "receipt")
    work()
    assert len(mailoutbox) == 1, "once"


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_letters_speak_the_language_of_the_form(ada: User, mailoutbox: list[Any], language: str) -> None:
    ask(Client(headers={"Accept-Language": language}))
    chinese = re.search(r"[\u4e00-\u9fff]", mailoutbox[0].subject + mailoutbox[0].body)
    assert bool(chinese) is (language == "zh-hans")
    assert "html" in mailoutbox[0].alternatives[0].mimetype


def banned(user: User) -> None:
    accounts.freeze(user.pk)


def unpaid(user: User) -> None:
    order_of(user, lifecycle="open")


def unverified(user: User) -> None:
    EmailAddress.objects.filter(user=user).update(verified=False)


def restricted(user: User) -> None:
    restriction.restrict(user.pk)


def erasing_soon(user: User) -> None:
    Client().post("/privacy/request/", {"kind": "erase", "contact": ADA, "words": ""})


@pytest.mark.parametrize("state", [banned, unpaid, unverified, restricted, erasing_soon, lambda user: None])
def test_rights_never_depend_on_the_state_of_the_account(
    ada: User, mailoutbox: list[Any], state: Callable[[User], None]
) -> None:
    number_of_order = order_of(ada)
    state(ada)
    work()
    mailoutbox.clear()
    client = Client()
    number = ask(client)
    link = link_in(mailoutbox[0])
    client.post(link, {"act": "address"})
    answer = client.post(link, {"act": "fact", "fact": number_of_order.lower()}, follow=True)
    assert answer.status_code == 200
    work()
    row = Request.objects.get(number=number)
    assert (row.level, row.shown_by, row.subject_id, row.state) == (3, "order", ada.pk, "fulfilled")
    copy, owner = copies.find_by_request(number) or (None, None)
    assert copy is not None
    assert (copy.state, owner) == ("ready", ada.pk)
    client.post(f"{link}copy/", {"act": "send"})
    code = re.search(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", mailoutbox[-1].body, re.MULTILINE)
    assert code
    given = client.post(f"{link}copy/", {"code": code[1]})
    assert b"".join(given.streaming_content).startswith(b"PK")  # type: ignore[attr-defined]


def test_a_banned_account_without_anything_to_ask_for_comes_through_by_its_address(
    ada: User, mailoutbox: list[Any]
) -> None:
    accounts.freeze(ada.pk)
    client = Client()
    number = ask(client)
    client.post(link_in(mailoutbox[0]), {"act": "address"})
    work()
    assert Request.objects.get(number=number).state == "fulfilled"


def test_guessing_facts_ends_at_a_person_of_ours(ada: User, mailoutbox: list[Any]) -> None:
    right = order_of(ada)
    client = Client()
    number = ask(client)
    link = link_in(mailoutbox[0])
    assert (
        "confirm your address"
        in client.post(link, {"act": "fact", "fact": right}, follow=True).content.decode()
    )
    client.post(link, {"act": "address"})
    for _ in range(3):
        assert client.post(link, {"act": "fact", "fact": "TK-WRONG"}).status_code == 422
    client.post(link, {"act": "fact", "fact": right})
    row = Request.objects.get(number=number)
    assert (row.level, row.needs, row.tries) == (1, 3, 3)
    assert "We write to you" in client.get(link).content.decode()
    subject_request.show_by_hand(number, "", ada.pk)
    work()
    assert Request.objects.get(number=number).state == "fulfilled"


def sign_in(client: Client, address: str) -> Any:
    answer = client.get(address)
    answer = client.post(answer["Location"], {"login": ADA, "password": PASSWORD})
    for _ in range(4):
        if answer.status_code == 302:
            where = answer["Location"]
            answer = client.get(where)
            if "reauthenticate" in where:
                answer = client.post(where, {"password": PASSWORD})
    return answer


def test_signing_in_shows_it_too(ada: User, mailoutbox: list[Any]) -> None:
    client = Client()
    number = ask(client)
    link = link_in(mailoutbox[0])
    client.post(link, {"act": "address"})
    sign_in(client, link.replace("/privacy/request/", "/console/privacy/claim/"))
    row = Request.objects.get(number=number)
    assert (row.level, row.shown_by) == (2, "sign_in")


def test_someone_elses_account_shows_nothing(ada: User, mailoutbox: list[Any]) -> None:
    eve = accounts.create_person("eve@example.org", PASSWORD)
    number = ask(Client())
    with pytest.raises(Refused, match="not about your account"):
        subject_request.show_sign_in(number, eve.pk)


def test_a_second_factor_or_staff_raises_the_bar(ada: User, mailoutbox: list[Any]) -> None:
    Authenticator.objects.create(user=ada, type="totp", data={"secret": "x"})
    number = ask(Client())
    assert Request.objects.get(number=number).needs == 3
    subject_request.show_sign_in(number, ada.pk)
    assert Request.objects.get(number=number).shown_by == "factor"


@pytest.mark.parametrize("kind", ["opt_out", "limit", "object", "withdraw"])
def test_what_reveals_nothing_is_done_at_once(ada: User, mailoutbox: list[Any], kind: str) -> None:
    number = ask(Client(), kind)
    assert Request.objects.get(number=number).state == "fulfilled"
    assert [one.event for one in letters.letters_of(number)] == ["done", "receipt"]
    if kind in ("opt_out", "limit"):
        assert choices.opted_out(ada.pk)
    if kind == "object":
        assert not choices.may(ada.pk, "improve")


def test_restriction_needs_the_address_only(ada: User, mailoutbox: list[Any]) -> None:
    client = Client()
    number = ask(client, "restrict")
    client.post(link_in(mailoutbox[0]), {"act": "address"})
    assert restrictions.restricted(ada.pk)
    assert Request.objects.get(number=number).state == "fulfilled"


def test_deletion_closes_the_account_under_the_same_number(ada: User, mailoutbox: list[Any]) -> None:
    client = Client()
    number = ask(client, "erase")
    subject_request.show_sign_in(number, ada.pk)
    ada.refresh_from_db()
    assert not ada.is_active
    assert Job.objects.filter(kind="erase_person", payload__request=number).exists()


def test_nobody_is_told_whether_there_is_an_account(ada: User, mailoutbox: list[Any]) -> None:
    known, unknown = Client(), Client()
    ask(known)
    ask(unknown, contact="nobody@example.org")
    texts = [re.sub(r"R-[0-9A-F]+|/privacy/request/\S+", "", mail.body) for mail in mailoutbox]
    assert texts[0] == texts[1]
    pages = [known.get(link_in(mailoutbox[0])), unknown.get(link_in(mailoutbox[1]))]
    shown = [re.sub(r"R-[0-9A-F]+|[\w:-]{40,}", "", page.content.decode()) for page in pages]
    assert shown[0] == shown[1]


def test_an_extension_and_a_refusal_are_told_with_reason_and_remedy(ada: User, mailoutbox: list[Any]) -> None:
    staff = accounts.create_person("staff@example.org", PASSWORD, is_staff=True)
    number = ask(Client(), "rectify")
    subject_request.show_by_hand(number, "", staff.pk)
    subject_request.extend(number, "complex", staff.pk)
    work()
    subject_request.refuse(number, "others_rights", staff.pk)
    work()
    policy_authority = "Art. 15(4)"
    assert mailoutbox[0].subject
    assert "complex" in mailoutbox[1].body
    assert policy_authority in mailoutbox[2].body
    for mail in mailoutbox[1:]:
        assert "http" in mail.body
        assert "complain" in mail.body
    sent = {one.event: one.sent_at for one in letters.letters_of(number)}
    assert set(sent) == {"receipt", "extension", "refusal"}
    assert all(sent.values())


def test_doubt_stops_the_clock_and_is_told(ada: User, mailoutbox: list[Any]) -> None:
    staff = accounts.create_person("staff@example.org", PASSWORD, is_staff=True)
    number = ask(Client(), "other")
    subject_request.ask_who(number, staff.pk)
    work()
    assert Request.objects.get(number=number).paused_at is not None
    assert "Is it you?" in mailoutbox[-1].subject


def test_who_never_shows_who_they_are_is_refused_on_the_last_day(ada: User, mailoutbox: list[Any]) -> None:
    number = ask(Client())
    with time_machine.travel(timezone.now() + dt.timedelta(days=36), tick=False):
        subject_request.watch(timezone.now())
        work()
    row = Request.objects.get(number=number)
    assert (row.state, row.ground) == ("refused", "not_identified")
    assert "7060" in mailoutbox[-1].body


def test_the_team_is_reminded_at_half_at_four_fifths_and_at_the_end(ada: User, mailoutbox: list[Any]) -> None:
    number = ask(Client(), "other")
    mailoutbox.clear()
    begin = Request.objects.get(number=number).received_at
    for days in (1, 16, 17, 27, 40, 41):
        with time_machine.travel(begin + dt.timedelta(days=days), tick=False):
            subject_request.watch(timezone.now())
            work()
    assert [one.event for one in letters.letters_of(number)] == ["receipt", "half", "most", "over"]
    assert len(mailoutbox) == 3
    assert all(number in mail.subject for mail in mailoutbox)
    assert not any(ADA in mail.body for mail in mailoutbox)


def test_a_request_can_be_taken_back(ada: User, mailoutbox: list[Any]) -> None:
    client = Client()
    number = ask(client)
    client.post(link_in(mailoutbox[0]), {"act": "withdraw"})
    assert Request.objects.get(number=number).state == "withdrawn"
    assert uuid.UUID(str(Request.objects.get(number=number).case))
