"""Endpoints in the console and on the desk: added, looked at, paused, replayed, removed."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.web.story import Story
from tollkeeper.flows import announcing
from tollkeeper.outbox import queries
from tollkeeper.sales import queries as sales

GOOD = {"url": "https://hook.example/in", "kinds": ["order", "key"]}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://x.example", "must begin with https"),
        ("https://10.0.0.1/", "not on the open internet"),
        ("https://a:b@x.example/", "user name and password"),
        ("nonsense", "must begin with https"),
    ],
)
def test_addresses_are_refused_with_words(
    story: Story, monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    from tollkeeper.web.console import webhooks  # noqa: PLC0415

    monkeypatch.setattr(webhooks, "local_allowed", lambda: False)
    answer = story.client(story.owner).post(reverse("console_webhooks"), {**GOOD, "url": url})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not queries.list_endpoints(story.customer_id)


def test_the_life_of_an_endpoint(story: Story) -> None:
    client = story.client(story.owner)
    page = client.post(reverse("console_webhooks"), GOOD, follow=True).content.decode()
    assert "whsec_" in page
    (row,) = queries.list_endpoints(story.customer_id)
    url = reverse("console_webhook", args=[row.number])
    other = story.client(story.other)
    assert other.get(url).status_code == 404
    assert other.post(url, {"act": "remove"}).status_code == 404
    assert "Paused" in client.post(url, {"act": "pause"}, follow=True).content.decode()
    assert "goes on" in client.post(url, {"act": "resume"}, follow=True).content.decode()
    client.post(url, {"act": "secret"})
    assert queries.get_endpoint(story.customer_id, row.number).secret != row.secret
    announcing.order(sales.get_order(story.customer_id, story.number))
    (post,) = queries.list_posts(story.customer_id, row.number)
    again = client.post(url, {"act": "replay", "since": post.event}, follow=True).content.decode()
    assert "1 event is posted again" in again
    one = client.post(url, {"act": "again", "event": post.event}, follow=True).content.decode()
    assert "The event is posted again" in one
    assert client.post(url, {"act": "again", "event": "x"}).status_code == 404
    assert "A test is on its way." in client.post(url, {"act": "ping"}, follow=True).content.decode()
    assert "on its way already" in client.post(url, {"act": "ping"}, follow=True).content.decode()
    assert "End it now" in client.get(url).content.decode()
    assert "signs no more" in client.post(url, {"act": "forget_secret"}, follow=True).content.decode()
    assert "End it now" not in client.get(url).content.decode()
    assert client.post(url, {"act": "replay", "since": "x"}).status_code == 404
    assert "hook.example" in client.get(reverse("console_webhooks")).content.decode()
    assert "Removed" in client.post(url, {"act": "remove"}, follow=True).content.decode()
    assert not queries.list_endpoints(story.customer_id)


def test_the_operators_own_stand_on_the_desk(story: Story) -> None:
    desk = story.client(story.staff)
    page = desk.post(reverse("desk_webhooks"), GOOD, follow=True).content.decode()
    assert "whsec_" in page
    (row,) = queries.list_endpoints(None)
    assert desk.get(reverse("desk_webhook", args=[row.number])).status_code == 200
    assert story.client(story.owner).get(reverse("desk_webhook", args=[row.number])).status_code == 404
    assert story.client(story.owner).get(reverse("console_webhook", args=[row.number])).status_code == 404
