"""From a paid line to a working key: once, whatever breaks in between."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from tests.services.lines import FREE, PRO, customer, line
from tollkeeper.core.terms import MICRO
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery import services as delivery_services
from tollkeeper.delivery.models import Key, KeyEntry
from tollkeeper.flows import fulfilment
from tollkeeper.kit import job_runner, mail
from tollkeeper.kit import queries as jobs
from tollkeeper.kit import services as job_verbs
from tollkeeper.kit.jobs import enqueue
from tollkeeper.kit.models import Job
from tollkeeper.sales.models import Order
from tollkeeper.usage import queries as usage
from tollkeeper.usage import services as usage_services
from tollkeeper.usage.models import Grant

pytestmark = pytest.mark.django_db
KINDS = ["fulfil_line", "mail_delivery"]


@pytest.fixture(autouse=True)
def _mails(tmp_path: Path, settings: pytest.FixtureRequest) -> None:
    settings.MAIL_FOLDER = tmp_path  # type: ignore[attr-defined]
    settings.EMAIL_BACKEND = "tollkeeper.kit.mail.FileBackend"  # type: ignore[attr-defined]


def work() -> list[str]:
    """Do all jobs that are due, at once again if they failed."""
    ends = []
    while (context := job_runner.claim(KINDS)) is not None:
        ends.append(job_runner.run(context))
        Job.objects.filter(state="ready").update(run_at=timezone.now())
    return ends


def fulfil(line_id: int) -> list[str]:
    enqueue("fulfil_line", f"fulfil:{line_id}", line_id=line_id)
    return work()


def mails() -> list[str]:
    """Subject and text of every mail, oldest first."""
    found = []
    for path in sorted(Path(settings.MAIL_FOLDER).glob("*.eml")):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        text = message.get_body(("plain",))
        assert text is not None
        found.append(f"{message['Subject']}\n{text.get_content()}")
    return found


def test_a_paid_line_becomes_a_key_units_and_a_mail_with_a_link() -> None:
    buyer = customer()
    line_id = line(buyer, units=500, quantity=2)
    assert fulfil(line_id) == ["done", "done"]
    assert Order.objects.get().lifecycle == "closed"
    [balance] = usage.balances(buyer)
    assert (balance.unit, balance.spendable) == ("calls", 1000 * MICRO)
    waiting = delivery.find_unrevealed(buyer)
    assert waiting is not None
    text = delivery_services.reveal(waiting.id, buyer)
    [sent] = mails()
    assert "/console/keys/" in sent
    assert text.text not in sent
    assert text.text not in str(list(Job.objects.values()))


def test_asking_twice_delivers_once() -> None:
    buyer = customer()
    line_id = line(buyer)
    fulfil(line_id)
    enqueue("fulfil_line", "somebody else asks", line_id=line_id)
    work()
    assert (Key.objects.count(), Grant.objects.count(), len(mails())) == (1, 1, 1)


@pytest.mark.parametrize("broken", ["_provide", "_grant", "_finish"])
def test_a_step_that_fails_is_taken_up_again(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    buyer = customer()
    real = getattr(fulfilment, broken)
    failures = iter([True, True])

    def sometimes(*args: object) -> object:
        result = real(*args)
        if next(failures, False):
            raise OSError("after the writes, before the commit")
        return result

    monkeypatch.setattr(fulfilment, broken, sometimes)
    assert fulfil(line(buyer)) == ["ready", "ready", "done", "done"]
    assert (Key.objects.count(), Grant.objects.count(), len(mails())) == (1, 1, 1)
    assert usage_services.check_book() == []


def test_what_cannot_be_delivered_ends_as_a_failed_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    buyer = customer()
    line_id = line(buyer)
    with monkeypatch.context() as broken:
        broken.setattr(fulfilment, "_grant", lambda line, begins: 1 / 0)
        assert fulfil(line_id)[-1] == "dead"
    [failed] = delivery.failed_deliveries()
    assert (failed.line_id, failed.error) == (line_id, "gave_up")
    assert jobs.dead_jobs()[0].error_class == "ZeroDivisionError"
    assert delivery.find_unrevealed(buyer) is None
    assert mails() == []
    assert job_verbs.retry_job(jobs.dead_jobs()[0].id)
    assert fulfil(line_id)[0] == "done"
    handed = delivery.find_delivery(line_id)
    assert handed is not None
    assert (handed.state, handed.error, handed.revealable) == ("delivered", "", True)
    assert (Key.objects.count(), Grant.objects.count()) == (1, 1)


def test_a_mail_server_that_is_down_delays_only_the_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    buyer = customer()
    real, failures = mail.send, iter([True, True])

    def sometimes(*args: object, **named: object) -> None:
        if next(failures, False):
            raise OSError
        real(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(mail, "send", sometimes)
    assert fulfil(line(buyer)) == ["done", "ready", "ready", "done"]
    assert len(mails()) == 1


def test_a_period_gives_units_to_its_end_and_a_pack_for_its_days() -> None:
    buyer = customer()
    now = timezone.now()
    fulfil(line(buyer, per="period", starts_at=now, ends_at=now + dt.timedelta(days=31)))
    fulfil(line(buyer, lasts_days=10))
    fulfil(line(buyer))
    ends = [grant.expires_at for grant in Grant.objects.order_by("pk")]
    assert ends[0] == now + dt.timedelta(days=31)
    assert dt.timedelta(days=9, hours=23) < ends[1] - now < dt.timedelta(days=10, minutes=1)
    assert ends[2] is None
    assert [row.ends_at for row in reversed(delivery.deliveries(buyer))] == [
        ends[0] + fulfilment.GRACE,
        ends[1] + fulfilment.GRACE,
        None,
    ]


def test_a_period_that_is_over_gives_nothing_but_is_delivered() -> None:
    buyer = customer()
    past = timezone.now() - dt.timedelta(days=40)
    line_id = line(buyer, per="period", starts_at=past, ends_at=past + dt.timedelta(days=31))
    assert fulfil(line_id)[0] == "done"
    assert not Grant.objects.exists()


def test_a_second_purchase_raises_the_key_and_says_so() -> None:
    buyer = customer()
    fulfil(line(buyer, FREE))
    fulfil(line(buyer, PRO))
    assert Key.objects.count() == 1
    assert KeyEntry.objects.get().terms.count("600") == 1
    assert "Your key" in mails()[0]
    assert "Your key" not in mails()[1]


def test_a_full_refund_takes_units_and_rights_back_and_a_part_only_its_share() -> None:
    buyer = customer()
    one, two = line(buyer, units=100), line(buyer, units=100)
    fulfil(one)
    fulfil(two)
    assert fulfilment.withdraw_line(one, claim="re-1", amount_share=(300, 900)) == 100 * MICRO // 3
    assert fulfilment.withdraw_line(one, claim="re-1", amount_share=(300, 900)) == 0
    assert delivery.find_delivery(one).state == "delivered"
    fulfilment.withdraw_line(one, claim="re-2")
    fulfilment.withdraw_line(two, claim="re-3")
    assert [row.spendable for row in usage.balances(buyer)] == [0]
    assert KeyEntry.objects.get().state == "suspended"
    assert usage_services.check_book() == []


def test_a_customer_without_an_address_is_delivered_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fulfilment.accounts, "email_for", lambda customer_id: None)
    assert fulfil(line(customer())) == ["done", "done"]
    assert mails() == []
