"""Keys at relays in the console: what is known is shown, what is not is said, and one may have a look."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from tests.web.story import Story, Strict
from tollkeeper.core.terms import KeyTerms, encode
from tollkeeper.delivery import services
from tollkeeper.delivery.models import Delivery, Snapshot
from tollkeeper.kit.models import Job

NOW = dt.datetime(2026, 3, 2, 10, 0, tzinfo=dt.UTC)


@pytest.fixture
def sold(story: Story) -> Delivery:
    return Delivery.objects.create(
        line_id=990,
        customer_id=story.customer_id,
        provisioner="litellm",
        alias="ord-990",
        unit="relay-usd",
        terms=encode(KeyTerms("relay-10", unit="relay-usd")),
        state="delivered",
        target="relay",
        label="tkabc-990-1",
        handle="h1",
        cap=10_000_000,
        units=10_000_000,
    )


def found(sold: Delivery, **more: object) -> None:
    facts = {"enabled": True, "cap": 10_000_000, "used": 2_500_000, "delay_s": 60.0, **more}
    Snapshot.objects.create(delivery=sold, as_of=timezone.now(), **facts)


def page(story: Story) -> str:
    text = story.client(story.owner).get(reverse("console_keys")).content.decode()
    assert Strict(text).wrong == []
    return text


def test_a_key_that_was_not_looked_at_yet(story: Story, sold: Delivery) -> None:
    assert "not looked at yet" in page(story)


def test_what_is_known_is_shown_with_unit_window_and_time(story: Story, sold: Delivery) -> None:
    with time_machine.travel(NOW, tick=False):
        found(sold, window="monthly", resets_at=NOW + dt.timedelta(days=30))
    text = page(story)
    for words in (
        "2.5",
        "7.5 relay-usd",
        "monthly",
        "until 2026-04-01 10:00 UTC",
        "2026-03-02 10:00:00 UTC",
        "60 s late",
    ):
        assert words in text, words


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"used": None}, "unknown"),
        ({"cap": None}, "no cap"),
        ({"enabled": False}, "stopped there"),
        ({}, "its whole life"),
    ],
)
def test_what_is_not_known_is_said(
    story: Story, sold: Delivery, facts: dict[str, object], words: str
) -> None:
    found(sold, **facts)
    assert words in page(story)


def test_a_look_is_asked_for_and_waited_for(story: Story, sold: Delivery) -> None:
    client, url = story.client(story.owner), reverse("console_relay_look", args=[sold.pk])
    with time_machine.travel(NOW, tick=False) as clock:
        found(sold)
        clock.shift(60)
        text = client.post(url, headers={"HX-Request": "true"}).content.decode()
        assert "Asking …" in text
        assert Job.objects.filter(kind="sync_key").count() == 1
        again = text.partition('hx-get="')[2].partition('"')[0]
        assert "Asking …" in client.get(again).content.decode()
        clock.shift(2)
        found(sold, used=3_000_000)
        text = client.get(again).content.decode()
        assert "Asking …" not in text
        assert 'data-relay-left="7000000"' in text
        text = client.post(url, headers={"HX-Request": "true"}).content.decode()
        assert "Asking …" not in text, "it was looked at two seconds ago"
        assert Job.objects.filter(kind="sync_key").count() == 1
        clock.shift(60)
        client.post(url, headers={"HX-Request": "true"})
        clock.shift(40)
        assert "Asking …" not in client.get(again).content.decode(), "a page does not wait for ever"


def test_it_works_without_a_script(story: Story, sold: Delivery) -> None:
    client, url = story.client(story.owner), reverse("console_relay_look", args=[sold.pk])
    assert "Load this page again" in client.post(url, follow=True).content.decode()
    found(sold)
    assert "a few seconds ago" in client.post(url, follow=True).content.decode()


def test_somebody_elses_key_is_not_there(story: Story, sold: Delivery) -> None:
    url = reverse("console_relay_look", args=[sold.pk])
    assert story.client(story.other).post(url).status_code == 404
    assert not Job.objects.filter(kind="sync_key").exists()


def test_nonsense_in_the_address_is_ignored(story: Story, sold: Delivery) -> None:
    client = story.client(story.owner)
    for text in ("x", "-1", "9" * 30, "1"):
        assert client.get(reverse("console_relays"), {"asked": text}).status_code == 200


def replace_url(sold: Delivery) -> str:
    return reverse("console_relay_replace", args=[sold.pk])


def test_a_key_is_replaced_after_a_question_and_shown_once(story: Story, sold: Delivery) -> None:
    client = story.client(story.owner, strict=True)
    Delivery.objects.filter(pk=sold.pk).update(hint="sk-…WXYZ")
    assert replace_url(sold) in page(story)
    asked = client.get(replace_url(sold)).content.decode()
    assert Strict(asked).wrong == []
    assert "sk-…WXYZ" in asked
    assert not Job.objects.filter(kind="replace_key").exists(), "asking stops nothing"
    token = {"csrfmiddlewaretoken": client.cookies["csrftoken"].value}
    assert story.client(story.owner, strict=True).post(replace_url(sold)).status_code == 403
    for _ in range(2):
        assert client.post(replace_url(sold), token).status_code == 302
    [job] = Job.objects.filter(kind="replace_key")
    assert job.payload == {"delivery_id": sold.pk, "handle": "h1"}
    waiting = client.get(replace_url(sold)).content.decode()
    assert 'data-state="busy"' in waiting
    assert "being replaced" in page(story)
    services.replace(sold.pk, "h1", 2_500_000)
    assert (
        'data-state="busy"' in client.get(replace_url(sold), headers={"HX-Request": "true"}).content.decode()
    )
    services.keep_made(sold.pk, services.seal_made(sold.pk, "h2", "sk-the-new-secret-of-this-key"))
    ready = client.get(replace_url(sold), headers={"HX-Request": "true"}).content.decode()
    assert 'data-state="ready"' in ready
    assert "<html" not in ready
    assert client.post(replace_url(sold), token).status_code == 302
    assert not Job.objects.filter(payload__handle="h2", kind="replace_key").exists(), "first it is to be seen"
    shown = client.post(reverse("console_key_reveal", args=[sold.pk]), token).content.decode()
    assert "sk-the-new-secret-of-this-key" in shown
    assert 'data-state="ask"' in client.get(replace_url(sold)).content.decode()


def test_nobody_replaces_somebody_elses_key_or_one_that_is_over(story: Story, sold: Delivery) -> None:
    assert story.client(story.other).get(replace_url(sold)).status_code == 404
    assert story.client(story.other).post(replace_url(sold)).status_code == 404
    Delivery.objects.filter(pk=sold.pk).update(state="revoked")
    assert story.client(story.owner).post(replace_url(sold)).status_code == 404
    assert not Job.objects.filter(kind="replace_key").exists()


def test_a_key_is_paused_at_its_relay(story: Story, sold: Delivery) -> None:
    url = reverse("console_relay_pause", args=[sold.pk])
    assert story.client(story.other).post(url).status_code == 404
    assert not Job.objects.filter(kind="align_key").exists()
    assert url in page(story)
    assert story.client(story.owner).post(url).status_code == 302
    assert Job.objects.filter(kind="align_key", state="ready").count() == 1
    text = page(story)
    assert "Paused" in text
    assert reverse("console_relay_resume", args=[sold.pk]) in text
