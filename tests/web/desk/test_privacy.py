"""The desk's page of people's rights: for whom it is, what waits on it, the one action of each."""

import datetime as dt
import re
import uuid

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import Group
from django.core import mail
from django.test import Client
from django.utils import timezone

from tollkeeper import flows
from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.catalog.services import load_shop
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import erasure
from tollkeeper.flows import minors as minor_flow
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import egress, sealed
from tollkeeper.kit.job_runner import claim, run
from tollkeeper.kit.jobs import enqueue
from tollkeeper.privacy import authorities, forgetting, holds, minors, requests, retention
from tollkeeper.privacy.models import AuthorityCase, MinorReport, Request

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


@pytest.fixture(autouse=True)
def shop() -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


def operator(name: str = "op", *, factor: bool = True) -> tuple[Client, uuid.UUID]:
    user = accounts.create_person(f"{name}@example.org", None, is_staff=True)
    if factor:
        Authenticator.objects.create(user=user, type="totp", data={"secret": "x"})
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client, user.pk


def child() -> User:
    user = accounts.create_person("child@example.org", None)
    accounts.ensure_customer(user)
    return user


def link_of() -> str:
    found = re.search(r"http://[^/]+(/privacy/minor/\S+/)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def test_only_operators_of_the_role_with_a_second_factor() -> None:
    client, _ = operator()
    assert client.get("/desk/privacy/").status_code == 200
    bare, _ = operator("bare", factor=False)
    assert bare.get("/desk/privacy/")["Location"] == "/desk/second-factor/?next=%2Fdesk%2Fprivacy%2F"
    other, pk = operator("other")
    User.objects.get(pk=pk).groups.add(Group.objects.create(name="finance"))
    assert other.get("/desk/privacy/").status_code == 404
    customer = Client()
    customer.force_login(child(), backend=settings.AUTHENTICATION_BACKENDS[0])
    assert customer.get("/desk/privacy/").status_code == 404


def test_requests_wait_with_their_clock_and_are_answered() -> None:
    client, _ = operator()
    number = requests.open_request("access", channel="form", contact="ada@example.org")
    assert number in client.get("/desk/privacy/").content.decode()
    client.post(f"/desk/privacy/requests/{number}/acknowledge/")
    answer = client.post(f"/desk/privacy/requests/{number}/fulfil/", {"reply": "no"}, follow=True)
    assert b"cannot be answered yet" in answer.content
    client.post(f"/desk/privacy/requests/{number}/show/", {"account": ""})
    client.post(f"/desk/privacy/requests/{number}/fulfil/", {"reply": "we hold nothing"})
    row = Request.objects.get(number=number)
    assert (row.state, row.answered_at is None, row.acknowledged_at is None) == ("fulfilled", False, False)
    page = client.get(f"/desk/privacy/requests/{number}/").content.decode()
    assert "we hold nothing" in page
    assert "ada@example.org" in page
    assert client.post(f"/desk/privacy/requests/{number}/dance/").status_code == 404


def test_a_report_freezes_and_a_wrong_one_is_undone() -> None:
    account = child()
    page = Client().post(
        "/privacy/minor/", {"contact": "p@example.org", "account": "child@example.org", "words": "my child"}
    )
    assert page.status_code == 302
    account.refresh_from_db()
    assert account.is_active
    link = link_of()
    assert Client().get(link).status_code == 200
    assert MinorReport.objects.get().state == "received"
    Client().post(link)
    account.refresh_from_db()
    report = MinorReport.objects.get()
    assert (account.is_active, report.state, report.subject_id) == (False, "frozen", account.pk)
    assert report.decide_by is not None
    assert report.decide_by - timezone.now() < dt.timedelta(hours=72)
    client, _ = operator()
    assert "my child" in client.get("/desk/privacy/").content.decode()
    client.post(f"/desk/privacy/minors/{report.number}/", {"decision": "reject"})
    account.refresh_from_db()
    assert account.is_active
    assert Request.objects.get(number=report.number).answered_at is not None


def test_a_true_report_erases_the_account() -> None:
    account = child()
    number = minor_flow.report(contact="p@example.org", account="child@example.org", words="")
    secret = link_of().rstrip("/").rpartition("/")[2]
    with pytest.raises(Refused):
        minor_flow.confirm(number, "wrong")
    minor_flow.confirm(number, secret)
    with pytest.raises(Refused):
        minor_flow.confirm(number, secret)
    minor_flow.decide(number, agree=True)
    context = claim(["erase_person"])
    assert context is not None
    assert run(context) == "done"
    assert not User.objects.filter(pk=account.pk).exists()


def test_reporters_are_forgotten_after_ninety_days() -> None:
    number = minor_flow.report(contact="p@example.org", account="", words="words")
    now = timezone.now()
    assert requests.get_words(number).contact == "p@example.org"
    assert minor_flow.forget(now + dt.timedelta(days=89)) == 0
    case = Request.objects.get(number=number).case
    assert minor_flow.forget(now + dt.timedelta(days=91)) == 1
    row = MinorReport.objects.get(number=number)
    assert (row.contact, row.words, row.state) == (None, None, "lapsed")
    words = requests.get_words(number)
    assert (words.contact, words.words) == (None, None), "nor in the request of the report"
    assert sealed.destroyed([case])
    assert requests.find_state(number, "minor") == "lapsed"
    assert minor_flow.forget(now + dt.timedelta(days=99)) == 0


def test_a_report_is_late_only_after_its_writer_confirmed_it() -> None:
    number = minor_flow.report(contact="p@example.org", account="", words="words")
    link = link_of()
    with time_machine.travel(timezone.now() + dt.timedelta(days=10)):
        assert requests.counts()["overdue"] == 0, "robots cannot make us late"
        Client().post(link)
        assert requests.counts()["overdue"] == 0
        found = requests.find_request(number)
        assert found is not None
        assert found.due_on == minors.decide_by(number).date()
    with time_machine.travel(timezone.now() + dt.timedelta(days=15)):
        assert requests.counts()["overdue"] == 1


def test_two_people_decide_what_an_authority_gets() -> None:
    account = child()
    _, first = operator("first")
    _, second = operator("second")
    gag = timezone.now().date() + dt.timedelta(days=5)
    number = authorities.open_case(
        account.pk, authority="A court", country="de", ground="§ 1", kind="data",
        record_sets=("support",), opened_by=first, gag_until=gag,
    )  # fmt: skip
    facts = {"form": True, "jurisdiction": True, "treaty": True}
    with pytest.raises(Refused, match="open"):
        authorities.release(number, first)
    with pytest.raises(Refused, match="another"):
        authorities.check(number, first, **facts)
    with pytest.raises(Refused, match="fails"):
        authorities.check(number, second, **{**facts, "treaty": False})
    authorities.check(number, second, **facts)
    parts = authorities.release(number, first)
    assert {part.label for part in parts} == {"support.Ticket", "support.Message", "support.Attachment"}
    assert authorities.to_be_told(timezone.now().date()) == []
    assert [row[0] for row in authorities.to_be_told(gag + dt.timedelta(days=1))] == [number]
    year = timezone.now().year
    (count,) = authorities.yearly_counts(year, year)
    assert (count.received, count.released, count.refused) == ("1–9", "1–9", "0")


def test_whose_data_was_given_out_is_told() -> None:
    account = child()
    _, first = operator("first")
    _, second = operator("second")
    number = authorities.open_case(
        account.pk, authority="A court", country="de", ground="x", kind="data", record_sets=("support",),
        opened_by=first,
    )  # fmt: skip
    authorities.check(number, second, form=True, jurisdiction=True, treaty=True)
    authorities.release(number, first)
    flows.register()
    enqueue("tell_of_authorities", "t")
    context = claim(["tell_of_authorities"])
    assert context is not None
    assert run(context) == "done"
    assert number in str(mail.outbox[-1].body)
    assert authorities.to_be_told(timezone.now().date()) == []
    (seen,) = [one for one in egress.received_about(account.pk) if one.processor == "authorities"]
    assert "support.Message" in seen.fields


def test_nothing_of_a_demand_shows_before_its_gag_is_over_and_then_everything_does() -> None:
    account = child()
    _, first = operator("first")
    _, second = operator("second")
    gag = timezone.now().date() + dt.timedelta(days=4 * 365)
    number = authorities.open_case(
        account.pk, authority="A court", country="de", ground="x", kind="data", record_sets=("support",),
        opened_by=first, gag_until=gag,
    )  # fmt: skip
    authorities.check(number, second, form=True, jurisdiction=True, treaty=True)
    authorities.release(number, first)
    for days, told in ((-1, False), (0, False), (1, True)):
        with time_machine.travel(dt.datetime.combine(gag, dt.time(12), dt.UTC) + dt.timedelta(days=days)):
            retention.run(timezone.now())  # three years are over, the gag is not
            enqueue("tell_of_authorities", f"t{days}")
            while context := claim(["tell_of_authorities"]):
                assert run(context) == "done"
            sent = [one for one in mail.outbox if number in str(one.body)]
            listed = [one for one in egress.received_about(account.pk) if one.processor == "authorities"]
            assert (bool(sent), bool(listed)) == (told, told), days


def test_public_counts_outlive_the_cases() -> None:
    account = child()
    _, first = operator("first")
    for kind in ("data", "preserve"):
        number = authorities.open_case(
            account.pk, authority="A", country="de", ground="x", kind=kind, record_sets=("support",),
            opened_by=first,
        )  # fmt: skip
        authorities.refuse(number, first)
    year = timezone.now().year
    before = authorities.yearly_counts(year, year)
    with time_machine.travel(timezone.now() + dt.timedelta(days=1200)):
        retention.run(timezone.now())
    assert AuthorityCase.objects.count() == 0
    assert authorities.yearly_counts(year, year) == before
    (count,) = before
    assert (count.received, count.refused, count.preserved) == ("1–9", "1–9", "1–9")


def test_a_case_of_somebody_erased_before_they_could_be_told_runs_out_too() -> None:
    account = child()
    _, first = operator("first")
    _, second = operator("second")
    number = authorities.open_case(
        account.pk, authority="A", country="de", ground="x", kind="data", record_sets=("support",),
        opened_by=first, gag_until=timezone.now().date() + dt.timedelta(days=30),
    )  # fmt: skip
    authorities.check(number, second, form=True, jurisdiction=True, treaty=True)
    authorities.release(number, first)
    erasure.erase(account.pk)
    assert AuthorityCase.objects.get().over_at is None
    enqueue("tell_of_authorities", "t")
    context = claim(["tell_of_authorities"])
    assert context is not None
    assert run(context) == "done"
    assert AuthorityCase.objects.get().over_at is not None


def test_a_demand_to_preserve_makes_a_hold_that_the_desk_releases() -> None:
    account = child()
    client, first = operator("first")
    authorities.open_case(
        account.pk, authority="A court", country="de", ground="x", kind="preserve", record_sets=("orders",),
        opened_by=first,
    )  # fmt: skip
    (order,) = holds.list_holds()
    assert order.number in client.get("/desk/privacy/").content.decode()
    client.post(f"/desk/privacy/holds/{order.number}/release/")
    assert holds.list_holds() == []


def test_a_processor_that_must_be_told_by_hand_waits_until_somebody_says_so() -> None:
    client, _ = operator()
    today = timezone.now().date()
    duty = forgetting.expect("R-1", "letter", "vies", due_on=today)
    assert "vies" in client.get("/desk/privacy/").content.decode()
    assert client.post(f"/desk/privacy/duties/{duty.id}/eat/").status_code == 404
    assert client.post(f"/desk/privacy/duties/{duty.id}/told/").status_code == 302
    assert forgetting.waiting() == []
    client.post("/desk/privacy/duties/999/again/")
    assert "not waiting" in client.get("/desk/privacy/").content.decode()
