"""Units by hand and by code: once, with a reason, on the record."""

from __future__ import annotations

import pytest

from tests.services.gates import UNIT
from tests.services.lines import customer
from tollkeeper.accounts.models import Customer
from tollkeeper.core.terms import MICRO
from tollkeeper.flows import gifts
from tollkeeper.flows.gifts import BadGift
from tollkeeper.kit.trail.models import Entry
from tollkeeper.usage import queries, services
from tollkeeper.usage.models import Grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> object:
    return Customer.objects.get(pk=customer()).owner_id


def give(operator: object, buyer: int, **more: object) -> int:
    wish = {"unit": UNIT, "amount": 10 * MICRO, "reason": "goodwill", "key": "form-1", **more}
    return gifts.give_units(operator, buyer, **wish)  # type: ignore[arg-type]


def test_a_gift_is_given_once_and_recorded(operator: object) -> None:
    buyer = customer()
    assert give(operator, buyer) == give(operator, buyer)
    assert queries.balances(buyer)[0].spendable == 10 * MICRO
    assert Grant.objects.get().source == "gift:goodwill"
    written = Entry.objects.filter(verb="grant.given").values_list("object", "note")
    assert set(written) == {(f"usage.Grant:{Grant.objects.get().pk}", "goodwill")}


@pytest.mark.parametrize("wrong", [{"reason": "because she asked"}, {"amount": 0}, {"lasts_days": 0}])
def test_a_bad_wish_gives_and_records_nothing(operator: object, wrong: dict[str, object]) -> None:
    with pytest.raises(BadGift):
        give(operator, customer(), **wrong)
    assert not Grant.objects.exists()
    assert not Entry.objects.filter(verb="grant.given").exists()


def test_units_can_be_taken_back_but_never_into_debt(operator: object) -> None:
    buyer = customer()
    grant = give(operator, buyer)
    take = {"grant_id": grant, "reason": "correction"}
    assert gifts.take_units(operator, buyer, amount=4 * MICRO, key="t1", **take) == 4 * MICRO  # type: ignore[arg-type]
    assert gifts.take_units(operator, buyer, amount=99 * MICRO, key="t2", **take) == 6 * MICRO  # type: ignore[arg-type]
    assert gifts.take_units(operator, buyer, amount=None, key="t3", **take) == 0  # type: ignore[arg-type]
    assert queries.balances(buyer)[0].owed == 0
    assert services.check_book() == []


def test_nothing_is_taken_from_anothers_grant(operator: object) -> None:
    grant = give(operator, customer())
    with pytest.raises(BadGift, match="no such grant"):
        gifts.take_units(operator, customer(), grant_id=grant, amount=None, reason="test", key="t")  # type: ignore[arg-type]


def test_a_code_is_redeemed_on_the_record() -> None:
    buyer = customer()
    [code] = services.make_codes(label="fair", count=1, unit=UNIT, amount=MICRO)
    gifts.redeem(buyer, code)
    assert queries.balances(buyer)[0].spendable == MICRO
    assert Entry.objects.filter(verb="code.redeemed").count() == 1
    with pytest.raises(services.BadCode):
        gifts.redeem(buyer, code)
    assert Entry.objects.filter(verb="code.redeemed").count() == 1
