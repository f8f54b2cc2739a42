"""Whoever got data of an erased person is told, asked again until it answers, and else shown to somebody."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from samples.relays.litellm import LiteLLM
from tests.contracts.test_provisioners import Line
from tests.services.money import Till
from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.accounts.models import User
from tollkeeper.core.refusal import Refused
from tollkeeper.core.terms import TargetTerms
from tollkeeper.delivery import registry
from tollkeeper.delivery.models import Delivery, KeyEntry
from tollkeeper.delivery.provisioners import Door, Unsure, Wish, litellm
from tollkeeper.flows import erasure
from tollkeeper.flows import forgetting as flow
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit.keystore import ring
from tollkeeper.kit.models import Job
from tollkeeper.kit.trail.models import Disclosure
from tollkeeper.outbox import services as outbox
from tollkeeper.outbox.models import Event
from tollkeeper.payments.models import Payer
from tollkeeper.payments.providers import Refused as PayerRefused
from tollkeeper.payments.providers import Unsure as NoAnswer
from tollkeeper.privacy import forgetting, holds
from tollkeeper.privacy.case_models import ErasureReceipt, Forgetting
from tollkeeper.privacy.models import Request
from tollkeeper.sales.models import Subscription

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


@pytest.fixture(autouse=True)
def policy() -> None:
    load_policy(settings.SHOP / "policy.toml")


def person(till: Till, plan: str = "pro") -> tuple[uuid.UUID, int]:
    user = account_verbs.create_person("ada@example.org", None)
    customer = account_verbs.ensure_customer(user)
    till.bought(customer, plan)
    return user.pk, customer


def told(subject: uuid.UUID, processor: str) -> None:
    Disclosure.objects.create(
        at=timezone.now(), processor=processor, purpose="order", subject=subject, size=1, outcome="sent"
    )


def states() -> dict[str, str]:
    return {f"{row.kind}:{row.processor}": row.state for row in Forgetting.objects.order_by("pk")}


def test_the_payment_provider_ends_the_plan_and_deletes_the_payer(till: Till) -> None:
    ada, customer = person(till)
    (payer,) = Payer.objects.filter(customer_id=customer)
    stripe_plan = Subscription.objects.get().reference
    receipt = erasure.erase(ada)
    assert states() == {"plan:stripe": "waiting", "payer:stripe": "waiting"}
    assert Subscription.objects.get().state == "cancelled"
    till.work()
    assert set(states().values()) == {"told"}
    assert till.engine.store.get("subscription", stripe_plan)["status"] == "canceled"
    assert (till.engine.store.get("customer", payer.reference) or {"deleted": True}).get("deleted")
    assert not Forgetting.objects.exclude(reference="").exists()
    shown = forgetting.find_receipt(receipt.number)
    assert shown is not None
    assert [one.state for one in shown.duties] == ["told", "told"]
    assert shown.gone["accounts.User"] == 1


def test_a_cut_line_is_asked_again_until_it_answers(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = person(till)
    erasure.erase(ada)
    real, cuts = till.provider.forget, iter(range(3))

    def cut(payer: str) -> None:
        real(payer)  # it took effect, and the answer was lost
        if next(cuts, None) is not None:
            raise NoAnswer("cut")

    monkeypatch.setattr(till.provider, "forget", cut)
    till.work()
    assert states()["payer:stripe"] == "unknown"
    for _ in range(3):
        till.wake()
        till.work()
    assert states()["payer:stripe"] == "told"
    assert Forgetting.objects.get(kind="payer").tries == 3


def test_a_clear_no_becomes_somebodys_task(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = person(till)
    erasure.erase(ada)
    monkeypatch.setattr(till.provider, "forget", lambda _: (_ for _ in ()).throw(PayerRefused("credentials")))
    for _ in range(40):
        till.wake()
        till.work()
    assert states()["payer:stripe"] == "by_hand"
    (duty,) = forgetting.waiting()
    assert (duty.code, bool(duty.reference)) == ("credentials", True)
    assert Job.objects.get(kind="tell_processor", state="dead").key == f"forget:{duty.id}"
    monkeypatch.undo()
    flow.try_again(duty.id)
    till.work()
    assert states()["payer:stripe"] == "told"
    assert forgetting.waiting() == []


def test_an_operator_may_say_that_it_is_done(till: Till) -> None:
    ada, _ = person(till, "pack-10k")
    told(ada, "vies")
    told(ada, "mail")
    told(ada, "customer")
    erasure.erase(ada)
    assert states()["letter:vies"] == "by_hand"
    assert states()["contract:mail"] == "contract"
    assert "contract:customer" not in states()
    (duty,) = forgetting.waiting()
    forgetting.told_by_hand(duty.id)
    with pytest.raises(Refused):
        forgetting.told_by_hand(duty.id)
    assert forgetting.counts(timezone.now().date())["told"] == 1


def test_a_relay_forgets_its_key_even_if_the_line_is_cut(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = person(till, "pack-10k")
    relay = LiteLLM("adm")
    target = TargetTerms("there", "x", "http://relay.test", "X", resale_allowed=True)
    there = litellm.build(Door(timezone.now, target, "adm", Line(relay.app)))
    handed = there.provide(Wish("tk-1", "sk-" + "a" * 40, "credits", cap=1_000_000))
    Delivery.objects.update(target="there", handle=handed.handle, label="tk-1")
    real, cuts = there.forget, iter(range(2))

    def cut(handle: str) -> None:
        if next(cuts, None) is not None:
            raise Unsure("cut")
        real(handle)

    monkeypatch.setattr(there, "forget", cut)
    with registry.stand_in("there", there):
        erasure.erase(ada)
        till.work()
        assert states()["key:there"] == "unknown"
        for _ in range(2):
            till.wake()
            till.work()
    assert states()["key:there"] == "told"
    assert relay.keys == {}


def test_what_is_held_is_not_deleted_elsewhere_before_the_order_is_released(till: Till) -> None:
    ada, _ = person(till)
    staff = account_verbs.create_person("staff@example.org", None, is_staff=True).pk
    review = timezone.now().date().replace(year=timezone.now().year + 1, day=1)
    order = holds.hold(ada, "orders", ground="claim", reviewer=staff, review_on=review)
    number = erasure.close_account(ada, at_once=True)
    till.work()
    assert "payer:stripe" not in states()
    receipt = forgetting.find_receipt(number)
    assert receipt is not None
    assert receipt.erased_at is None
    erasure.release_hold(order, staff)
    till.work()
    assert states()["payer:stripe"] == "told"
    receipt = forgetting.find_receipt(number)
    assert receipt is not None
    assert receipt.erased_at is not None
    assert receipt.gone["accounts.User"] == 1
    assert ErasureReceipt.objects.count() == 1


def test_killed_before_the_rows_went_it_tells_nobody_twice(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, _ = person(till)
    monkeypatch.setattr(erasure.erasing, "erase_rows", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        erasure.erase(ada)
    monkeypatch.undo()
    till.work()
    first = list(Forgetting.objects.values_list("pk", "state"))
    erasure.erase(ada)
    till.work()
    assert list(Forgetting.objects.values_list("pk", "state")) == first
    assert ErasureReceipt.objects.get().erased_at is not None


def test_the_operators_own_programs_hear_of_it(till: Till) -> None:
    outbox.add_endpoint(None, None, "https://hooks.example.org/x", ("customer",))
    ada, customer = person(till, "pack-10k")
    public = accounts.get_customer(customer).public_id
    erasure.erase(ada)
    event = Event.objects.get(kind="customer.erased")
    assert public in event.body
    assert event.posts.count() == 1


def test_a_closing_can_be_taken_back_whole(till: Till, tmp_path: Path) -> None:
    ada, customer = person(till)
    number = erasure.close_account(ada)
    erasure.tell_of_closing(ada, number)
    assert Subscription.objects.get().state == "paused"
    assert {row.reason for row in KeyEntry.objects.filter(customer_id=customer)} <= {erasure.CLOSED}
    link = erasure.link_to(number)
    browser = Client()
    path = "/" + link.split("/", 3)[3]
    page = browser.get(path)
    assert page.status_code == 200
    assert "bring it back" in page.content.decode()
    assert browser.get(path[:-3] + "xy/").status_code == 404
    assert browser.post(path).status_code == 302
    till.work()
    assert User.objects.get(pk=ada).is_active
    assert Subscription.objects.get().state == "active"
    assert KeyEntry.objects.filter(customer_id=customer).exclude(state="active").count() == 0
    assert Request.objects.get(number=number).state == "withdrawn"
    assert Job.objects.get(kind="erase_person").state == "cancelled"
    with pytest.raises(erasure.TooLate):
        erasure.keep_account(number)
    assert "came back" in browser.get(path).content.decode()


def test_after_the_erasure_the_link_shows_what_was_done(till: Till) -> None:
    ada, _ = person(till)
    number = erasure.close_account(ada, at_once=True)
    till.work()
    assert not Job.objects.filter(state="dead").exists()
    assert not Job.objects.exclude(error_class="").exists()
    path = "/" + erasure.link_to(number).split("/", 3)[3]
    text = Client().get(path).content.decode()
    assert "Your data is erased" in text
    assert "has deleted" in text
    assert "ada@example.org" not in text
    assert Client().post(path).status_code == 302  # too late: nothing happens
    assert not User.objects.filter(pk=ada).exists()


def test_an_erasure_that_was_killed_finds_its_own_after_the_index_key_was_rotated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subject, day = uuid.uuid4(), timezone.now().date()
    number = forgetting.begin(subject)
    duty = forgetting.expect(number, "payer", "stripe", "cus_1", due_on=day)
    now = ring.current()
    monkeypatch.setattr(ring, "current", lambda: ring.Ring(now.keks, (b"n" * ring.KEY_BYTES,)))
    assert forgetting.begin(subject) == number
    assert forgetting.expect(number, "payer", "stripe", "cus_1", due_on=day).id == duty.id
    assert forgetting.begin(uuid.uuid4()) != number
    assert forgetting.expect(number, "payer", "stripe", "cus_2", due_on=day).id != duty.id
