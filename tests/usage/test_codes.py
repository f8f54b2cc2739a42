"""Redemption codes are used once, by whoever comes first."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from tests.services.gates import UNIT
from tollkeeper.core.terms import MICRO
from tollkeeper.usage import queries, services
from tollkeeper.usage.codes import tidy
from tollkeeper.usage.models import Code, Grant
from tollkeeper.usage.services import BadCode


def make(count: int = 1, **more: object) -> list[str]:
    given = {"label": "fair", "unit": UNIT, "amount": 5 * MICRO, **more}
    return services.make_codes(count=count, **given)  # type: ignore[arg-type]


def refused(customer: int, text: str) -> str:
    with pytest.raises(BadCode) as error:
        services.redeem(customer, text)
    return error.value.code


@pytest.mark.django_db
def test_a_code_gives_its_units_once() -> None:
    [code] = make(lasts_days=10)
    grant = Grant.objects.get(pk=services.redeem(7, code))
    assert (grant.amount, grant.customer_id) == (5 * MICRO, 7)
    assert (grant.expires_at - grant.effective_at).days == 10
    assert refused(7, code) == refused(8, code) == "used"
    [batch] = queries.batches()
    assert (batch.codes, batch.used) == (1, 1)
    assert services.check_book() == []


@pytest.mark.django_db
def test_only_a_keyed_hash_is_kept() -> None:
    [code] = make()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM usage_code")
        stored = repr(cursor.fetchall())
    assert tidy(code) not in stored
    assert code not in stored


@pytest.mark.django_db
def test_codes_are_read_as_people_type_them() -> None:
    [code] = make()
    typed = " " + code.lower().replace("-", " ").replace("0", "o").replace("1", "l") + "\n"
    assert services.redeem(7, typed)


@pytest.mark.django_db
def test_codes_that_cannot_be_used_say_why() -> None:
    one, two = make(2)
    assert refused(7, "") == refused(7, "no such code") == "unknown"
    services.redeem(7, one)
    assert refused(7, two) == "only_once"
    assert services.cancel_batch("fair") == 1
    assert refused(8, two) == "unknown"
    [late] = make(label="late", ends_at=timezone.now() + dt.timedelta(hours=1))
    with time_machine.travel(timezone.now() + dt.timedelta(hours=1, seconds=1)):
        assert refused(8, late) == "over"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"count": 10_001}, {"amount": 0}, {"lasts_days": 0}, {"label": "taken"}]
)
def test_a_bad_batch_makes_nothing(wrong: dict[str, object]) -> None:
    make(label="taken")
    with pytest.raises(ValueError, match=r"batch|at least"):
        make(**{"count": 1, **wrong})  # type: ignore[arg-type]
    assert Code.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_try_at_once_one_succeeds() -> None:
    [code] = make(once_per_customer=False)
    outcomes: list[str] = []
    start = threading.Barrier(6)

    def attempt(customer: int) -> None:
        start.wait()
        try:
            services.redeem(customer, code)
            outcomes.append("given")
        except BadCode as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["given"] + ["used"] * 5
    assert Grant.objects.count() == 1
