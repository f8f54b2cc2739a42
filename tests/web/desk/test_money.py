"""The desk's page of money: transfers, disputes, refunds by hand, the books."""

from __future__ import annotations

import json
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from tests.web.story import Story
from tollkeeper.flows import purchase, refund
from tollkeeper.payments import comparing, transfers
from tollkeeper.payments import queries as payments
from tollkeeper.sales import queries as sales


@pytest.fixture
def desk(story: Story) -> Client:
    return story.client(story.staff)


def take_in(desk: Client, *rows: str, currency: str = "usd") -> str:
    file = SimpleUploadedFile("bank.csv", "\n".join(["date,amount,text", *rows]).encode())
    answer = desk.post(reverse("desk_statement"), {"file": file, "currency": currency}, follow=True)
    return answer.content.decode()


def test_a_statement_is_taken_in_once(story: Story, desk: Client) -> None:
    purchase.begin_payment(story.unpaid, "invoice")
    rows = (f"2027-01-31,5.00,{story.unpaid}", "2027-01-31,7.00,rent")
    assert "2 new transfers, 1 of them matched, 0 known" in take_in(desk, *rows)
    assert "0 new transfers, 0 of them matched, 2 known" in take_in(desk, *rows)
    story.till.work()
    order = sales.find_order(story.unpaid)
    assert order is not None
    assert order.money == "paid"


def test_a_broken_statement_is_explained(desk: Client) -> None:
    page = take_in(desk, "2027-01-31,much,rent")
    assert "Nothing was taken" in page
    assert "line 2" in page
    assert not transfers.unmatched()
    assert "Choose a file" in desk.post(reverse("desk_statement"), {}, follow=True).content.decode()


def test_a_transfer_gets_its_order(story: Story, desk: Client) -> None:
    purchase.begin_payment(story.unpaid, "invoice")
    take_in(desk, "2027-01-31,5.00,hello")
    (row,) = transfers.unmatched()
    url = reverse("desk_transfer_assign", args=[row.transfer_id])
    assert "There is no order" in desk.post(url, {"number": "TK-NO"}, follow=True).content.decode()
    lower = story.unpaid.lower()
    assert "counts for its order" in desk.post(url, {"number": lower}, follow=True).content.decode()
    assert "Somebody was faster" in desk.post(url, {"number": lower}, follow=True).content.decode()


def test_what_pays_for_nothing_says_why_and_has_its_ways(story: Story, desk: Client) -> None:
    purchase.begin_payment(story.unpaid, "invoice")
    take_in(desk, f"2027-01-31,5.00,{story.unpaid}", currency="eur")
    take_in(desk, f"2027-02-01,4.80,{story.unpaid}")
    story.till.work()
    page = desk.get(reverse("desk_money")).content.decode()
    assert "another currency than the order" in page
    assert "too little for its order" in page
    first = desk.get(reverse("desk")).content.decode()
    assert first.count("Find its order") == 2
    foreign = min(row.transfer_id for row in transfers.unmatched())
    back = reverse("desk_transfer_returned", args=[foreign])
    assert "the money went back" in desk.post(back, follow=True).content.decode()
    assert "Somebody was faster" in desk.post(back, follow=True).content.decode()
    order = reverse("desk_order", args=[story.unpaid])
    assert "$4.80 of $5.00 came by transfer" in desk.get(order).content.decode()
    enough = reverse("desk_order_enough", args=[story.unpaid])
    assert "Taken for the whole price" in desk.post(enough, follow=True).content.decode()
    assert "Nothing that came by transfer" in desk.post(enough, follow=True).content.decode()
    assert not transfers.unmatched()
    found = sales.find_order(story.unpaid)
    assert found is not None
    assert found.money == "paid"


def test_a_transfer_that_somebody_saw(story: Story, desk: Client) -> None:
    purchase.begin_payment(story.unpaid, "invoice")
    page = desk.get(reverse("desk_order", args=[story.unpaid])).content.decode()
    assert "A transfer came" in page
    url = reverse("desk_order_transfer", args=[story.unpaid])
    assert "are needed" in desk.post(url, {}, follow=True).content.decode()
    bad = {"amount": "x", "booked_on": "2027-01-31", "mark": "1"}
    assert "no amount" in desk.post(url, bad, follow=True).content.decode()
    good = {**bad, "amount": "5.00"}
    for _ in range(2):
        assert "Noted" in desk.post(url, good, follow=True).content.decode()
    order = sales.find_order(story.unpaid)
    assert order is not None
    assert order.captured_minor == 500


def test_a_refund_sent_by_hand(story: Story, desk: Client) -> None:
    purchase.begin_payment(story.unpaid, "invoice")
    take_in(desk, f"2027-01-31,5.00,{story.unpaid}")
    story.till.hand_over()
    (made,) = refund.request_refund(story.unpaid)
    story.till.work()
    assert "It is sent" in desk.get(reverse("desk_money")).content.decode()
    url = reverse("desk_refund_sent", args=[made])
    assert "went back" in desk.post(url, follow=True).content.decode()
    assert desk.post(url).status_code == 404
    assert desk.post(reverse("desk_refund_sent", args=[uuid.uuid4()])).status_code == 404


def test_the_evidence_of_a_dispute_names_nobody(story: Story, desk: Client) -> None:
    story.till.pay(story.unpaid, "dispute")
    story.till.deliver()
    story.till.hand_over()
    story.till.engine.bank.advance(60)
    story.till.deliver()
    (row,) = payments.open_disputes()
    assert "Evidence" in desk.get(reverse("desk_money")).content.decode()
    answer = desk.get(reverse("desk_evidence", args=[row.dispute_id]))
    facts = json.loads(answer.content)
    assert facts["order"] == story.unpaid
    assert "@" not in answer.content.decode()
    assert desk.get(reverse("desk_evidence", args=[row.dispute_id + 1])).status_code == 404
    send = reverse("desk_hand_in", args=[row.dispute_id])
    assert "on its way to the bank" in desk.post(send, follow=True).content.decode()
    story.till.deliver()
    assert payments.get_dispute(row.dispute_id).state == "under_review"
    assert "Hand it in" not in desk.get(reverse("desk_money")).content.decode()
    assert desk.post(reverse("desk_hand_in", args=[row.dispute_id + 1])).status_code == 404
    customer = story.client(story.owner)
    assert customer.get(reverse("desk_evidence", args=[row.dispute_id])).status_code == 404


def test_what_does_not_agree_with_the_provider_stands_there_until_it_is_settled(
    story: Story, desk: Client
) -> None:
    assert "They agree" in desk.get(reverse("desk_money")).content.decode()
    asked = desk.post(reverse("desk_compare"), follow=True).content.decode()
    assert "being compared" in asked
    story.till.work()
    page = desk.get(reverse("desk_money")).content.decode()
    assert "no webhook endpoint for this shop" in page
    assert "Books that differ" in desk.get(reverse("desk")).content.decode()
    (row,) = comparing.open_findings()
    url = reverse("desk_finding_settled", args=[row.finding_id])
    assert "Settled." in desk.post(url, follow=True).content.decode()
    assert "They agree" in desk.get(reverse("desk_money")).content.decode()


def test_the_books_of_a_span(desk: Client) -> None:
    url = reverse("desk_journal")
    answer = desk.get(url, {"since": "2020-01-01", "until": "2100-01-01"})
    assert answer["Content-Type"].startswith("text/csv")
    assert answer.content.decode().count("\n") > 2
    assert desk.get(url).status_code == 400
    assert desk.get(url, {"since": "2021-01-01", "until": "2020-01-01"}).status_code == 400
