"""The first page of the desk lists what waits, by its clocks, for whom it is."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from tests.services.money import Till, open_till
from tests.web.desk.test_authorities import operator
from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.privacy import authorities, forgetting, holds, requests
from tollkeeper.privacy.models import Request
from tollkeeper.support import services as support
from tollkeeper.web.desk.waiting import waiting_for

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


@pytest.fixture
def till(transactional_db, tmp_path):  # type: ignore[no-untyped-def]
    with open_till(tmp_path) as opened:
        load_policy(opened.folder / "policy.toml")
        yield opened


def test_the_most_urgent_comes_first_and_each_leads_to_its_page(till: Till) -> None:
    client, me = operator("one")
    today = timezone.now().date()
    ada = accounts.create_person("ada@example.org", None)
    customer = accounts.ensure_customer(ada)
    asked = requests.open_request("access", channel="form", contact="x@example.org")
    requests.open_request("erase", channel="console", subject=ada.pk)  # runs by itself
    letter = support.open_ticket("t", "w", customer_id=customer, owner=ada.pk)
    forgetting.expect("R-1", "letter", "vies", due_on=today - dt.timedelta(days=1))
    order = holds.hold(ada.pk, "calls", ground="claim", reviewer=me, review_on=today + dt.timedelta(days=1))
    holds.hold(ada.pk, "orders", ground="claim", reviewer=me, review_on=today + dt.timedelta(days=60))
    case = authorities.open_case(
        ada.pk, authority="A", country="DE", ground="x", kind="data", record_sets=("support",),
        opened_by=me, due_on=today + dt.timedelta(days=2),
    )  # fmt: skip
    Request.objects.filter(number=asked).update(due_on=today + dt.timedelta(days=20))
    person = User.objects.get(pk=me)
    rows = waiting_for(person, today)
    assert [row.number for row, _ in rows] == ["R-1", order, case, letter, asked]
    assert [late for _, late in rows] == [True, False, False, False, False]
    page = client.get("/desk/").content.decode()
    for row, _ in rows:
        assert row.url in page
        assert client.get(row.url).status_code == 200
    person.groups.add(Group.objects.create(name="money"))
    assert [row.number for row, _ in waiting_for(person, today)] == [letter]
