"""Letters of customers and the answers to them."""

from __future__ import annotations

from django.urls import reverse

from tests.web.story import Story
from tollkeeper.support import queries as tickets


def test_a_question_and_its_answer(story: Story) -> None:
    customer, desk = story.client(story.owner), story.client(story.staff)
    answer = customer.post(
        reverse("console_ticket_new"), {"title": "Broken <b>", "body": "It is.\nTruly."}, follow=True
    )
    number = answer.request["PATH_INFO"].split("/")[3]
    assert "Broken &lt;b&gt;" in answer.content.decode()
    assert number in desk.get(reverse("desk_tickets")).content.decode()
    desk.post(reverse("desk_ticket", args=[number]), {"body": "We mended it."})
    page = customer.get(reverse("console_ticket", args=[number])).content.decode()
    assert "We mended it." in page
    assert "Answered" in page
    desk.post(reverse("desk_ticket_close", args=[number]))
    assert "Closed" in customer.get(reverse("console_ticket", args=[number])).content.decode()
    customer.post(reverse("console_ticket", args=[number]), {"body": "Again!"})
    head, thread = tickets.find_thread(number) or (None, [])
    assert head is not None
    assert head.state == "open", "who writes again is heard again"
    assert [message.from_us for message in thread] == [False, True, False]


def test_empty_letters_are_refused_at_the_field(story: Story) -> None:
    client = story.client(story.owner)
    assert client.post(reverse("console_ticket_new"), {"title": "", "body": ""}).status_code == 422
    assert client.post(reverse("console_ticket", args=[story.ticket]), {"body": " "}).status_code == 422


def test_a_complaint_is_closed_by_answering_it(story: Story) -> None:
    story.client(story.owner).post(
        reverse("console_ticket_new"), {"title": "Unfair", "body": "Very.", "complaint": "on"}
    )
    number = next(row.number for row in tickets.open_tickets() if row.complaint)
    desk = story.client(story.staff)
    page = desk.post(reverse("desk_ticket_close", args=[number]), follow=True).content.decode()
    assert "closed by answering" in page
