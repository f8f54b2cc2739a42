"""What stands on invoices, and the documents as PDF; paying by transfer."""

from __future__ import annotations

from django.urls import reverse

from tests.web.story import Story
from tests.web.test_access import receipt_of
from tollkeeper.payments import buyers
from tollkeeper.sales import queries as sales

GOOD = {"name": "Planted GmbH", "address": "Main Street 1\nVienna", "country": "at", "vat_id": ""}


def test_details_are_kept_corrected_and_forgotten(story: Story) -> None:
    client = story.client(story.owner)
    url = reverse("console_buyer")
    bad = client.post(url, {**GOOD, "vat_id": "12"})
    assert bad.status_code == 422
    assert "begins with two letters" in bad.content.decode()
    assert buyers.find_buyer(story.customer_id) is None
    assert "made out like this" in client.post(url, GOOD, follow=True).content.decode()
    assert "Planted GmbH" in client.get(url).content.decode()
    assert "Planted GmbH" not in story.client(story.other).get(url).content.decode()
    client.post(url, {"forget": "1"})
    assert "Planted GmbH" not in client.get(url).content.decode()


def test_a_number_waits_to_be_checked(story: Story) -> None:
    client = story.client(story.owner)
    client.post(reverse("console_buyer"), {**GOOD, "vat_id": "ATU 123.456-78"})
    assert "not checked yet" in client.get(reverse("console_buyer")).content.decode()
    assert buyers.vat_to_check(story.customer_id) == "ATU12345678"


def test_the_pdf_of_a_receipt(story: Story) -> None:
    label = receipt_of(story)
    answer = story.client(story.owner).get(reverse("console_document_pdf", args=[story.number, label]))
    assert answer.content.startswith(b"%PDF-")
    assert label in answer["Content-Disposition"]
    wrong = reverse("console_document_pdf", args=[story.number, "TK-1"])
    assert story.client(story.owner).get(wrong).status_code == 404


def test_an_order_waits_for_a_transfer(story: Story) -> None:
    shop = story.till.folder / "shop.toml"
    shop.write_text(shop.read_text().replace('["stripe", "free"]', '["stripe", "invoice", "free"]'))
    story.till.reload()
    client = story.client(story.owner)
    client.post(reverse("checkout_pay", args=[story.unpaid]))  # the card page is open meanwhile
    assert (
        "Pay by bank transfer" in client.get(reverse("console_order", args=[story.unpaid])).content.decode()
    )
    page = client.post(reverse("checkout_transfer", args=[story.unpaid]), follow=True).content.decode()
    assert "Where to send the money" in page
    assert page.count(story.unpaid) > 2
    assert story.till.engine.store.get("session", story.till.session(story.unpaid))["status"] == "expired"
    order = sales.find_order(story.unpaid)
    assert order is not None
    assert order.status == "awaiting_payment"


def test_without_it_in_the_shop_nothing_is_offered(story: Story) -> None:
    client = story.client(story.owner)
    page = client.post(reverse("checkout_transfer", args=[story.unpaid]), follow=True).content.decode()
    assert "Where to send the money" not in page
    assert "Pay by bank transfer" not in page
