"""Keys: made, shown once, replaced, revoked, and never shown again."""

from __future__ import annotations

import re

from django.urls import reverse

from tests.web.story import Story
from tollkeeper.core.keys import well_formed
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery import services
from tollkeeper.delivery.models import KeyEntry


def shown(text: str) -> str:
    found = re.search(r"data-key[^>]*>(tk_\w+)<", text)
    assert found is not None, "no key on the page"
    assert well_formed(found[1].encode())
    return found[1]


def test_a_delivered_key_is_shown_once(story: Story) -> None:
    client = story.client(story.owner)
    url = reverse("console_key_reveal", args=[story.delivery_id])
    assert "tk_live_" not in client.get(url).content.decode(), "looking does not show it"
    answer = client.post(url)
    key = shown(answer.content.decode())
    assert "no-store" in answer["Cache-Control"]
    for again in (client.post(url, follow=True), client.get(url, follow=True)):
        text = again.content.decode()
        assert key not in text
        assert "cannot be shown again" in text
    assert key not in client.get(reverse("console_keys")).content.decode()


def test_a_new_key_needs_a_name(story: Story) -> None:
    client = story.client(story.owner)
    url = reverse("console_key_new")
    for name in ("", "   ", "x" * 61):
        answer = client.post(url, {"name": name})
        assert answer.status_code == 422
        assert "data-key" not in answer.content.decode()
    assert len(delivery.list_keys(story.customer_id)) == 1
    shown(client.post(url, {"name": "<b>laptop</b>"}).content.decode())
    page = client.get(reverse("console_keys")).content.decode()
    assert "&lt;b&gt;laptop" in page
    assert "<b>laptop" not in page


def test_without_a_plan_there_is_no_key(story: Story) -> None:
    client = story.client(story.other)
    assert "A plan comes first" in client.get(reverse("console_key_new")).content.decode()
    answer = client.post(reverse("console_key_new"), {"name": "mine"})
    assert answer.status_code == 422
    assert "no plan yet" in answer.content.decode()


def test_revoking_asks_first_and_is_for_good(story: Story) -> None:
    client = story.client(story.owner)
    url = reverse("console_key_revoke", args=[story.key_id])
    assert "Revoke for good" in client.get(url).content.decode()
    assert delivery.list_keys(story.customer_id)[0].state == "active"
    page = client.post(url, follow=True).content.decode()
    assert "is revoked" in page
    assert delivery.list_keys(story.customer_id)[0].state == "revoked"
    assert "1 key that works no more" in page
    assert client.post(url, follow=True).status_code == 200, "a second click does no harm"


def test_replacing_gives_a_successor(story: Story) -> None:
    client = story.client(story.owner)
    url = reverse("console_key_replace", args=[story.key_id])
    assert client.post(url, {"overlap": "9 years"}).status_code == 422
    shown(client.post(url, {"overlap": "1h"}).content.decode())
    new, old = delivery.list_keys(story.customer_id)
    assert new.replaces_id == old.id == story.key_id
    assert old.expires_at is not None
    client.post(reverse("console_key_revoke", args=[story.key_id]))
    answer = client.post(url, {"overlap": "0"})
    assert answer.status_code == 422
    assert "only an active key" in answer.content.decode()


def test_a_key_is_paused_and_goes_on(story: Story) -> None:
    client = story.client(story.owner)
    entry = KeyEntry.objects.get(pk=story.key_id)
    assert client.post(reverse("console_key_pause", args=[story.key_id])).status_code == 302
    entry.refresh_from_db()
    assert (entry.state, entry.reason) == ("suspended", "paused")
    text = client.get(reverse("console_keys")).content.decode()
    assert "Paused" in text
    assert reverse("console_key_resume", args=[story.key_id]) in text
    assert reverse("console_key_replace", args=[story.key_id]) not in text, "only what works can be replaced"
    services.suspend_keys(story.customer_id, "operator")
    client.post(reverse("console_key_resume", args=[story.key_id]))
    entry.refresh_from_db()
    assert (entry.state, entry.reason) == ("suspended", "operator"), "a customer lifts nobody else's reason"
    text = client.get(reverse("console_keys")).content.decode()
    assert "Operator" in text
    foreign = story.client(story.other).post(reverse("console_key_resume", args=[story.key_id]))
    assert foreign.status_code == 404
