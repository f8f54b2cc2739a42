"""Files of letters: sent with a form, sealed, and given back to those only whose thread it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.web.story import Story
from tollkeeper.flows import helpdesk
from tollkeeper.privacy.canary import Scanner
from tollkeeper.support import queries as tickets

CONTENT = b"canary content 4242 4242 4242 4242 of a log"
LETTER = {"contact": "me@example.com", "title": "Hello", "body": "A question.", "website": ""}


def file(name: str = "log.txt", content: bytes = CONTENT) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def newest() -> str:
    return max(tickets.open_tickets(), key=lambda row: row.opened_at).number


def test_a_stranger_sends_a_file_and_gets_it_back_by_their_link(story: Story) -> None:
    client = story.client()
    assert client.post(reverse("contact"), LETTER | {"attached": [file()]}).status_code == 302
    number = newest()
    link = helpdesk.guest_link(number).removeprefix(settings.PUBLIC_URL)
    page = client.get(link)
    assert page.status_code == 200
    assert page["Referrer-Policy"] == "no-referrer"
    assert b"log.txt" in page.content
    thread = tickets.find_thread(number)
    assert thread is not None
    answer = client.get(f"{link}files/{thread[1][0].files[0].file_id}/")
    assert answer.content == b"canary content [card number removed] of a log"
    assert answer["Content-Disposition"] == 'attachment; filename="log.txt"'
    assert "sandbox" in answer["Content-Security-Policy"]
    wrong = link[:-5] + "0000/"
    assert client.get(wrong).status_code == 404
    assert client.get(f"{wrong}files/1/").status_code == 404
    assert list(Scanner(["canary content"]).scan_database("default")) == []
    assert list(Scanner(["canary content"]).scan_folder(Path(settings.ENV.home))) == []


def test_a_stranger_writes_back_by_their_link(story: Story) -> None:
    client = story.client()
    client.post(reverse("contact"), LETTER)
    number = newest()
    link = helpdesk.guest_link(number).removeprefix(settings.PUBLIC_URL)
    helpdesk.answer(number, "Our answer", story.staff.pk)
    assert b"Our answer" in client.get(link).content
    assert client.post(link, {"body": "Thank you"}).status_code == 302
    row = tickets.find_ticket(number)
    assert row is not None
    assert row.state == "open"
    assert client.post(link, {"body": " "}).status_code == 422


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([file("x.exe")], "Only files of these kinds"),
        ([file("x.png")], "not what its name says"),
        ([file(f"{n}.txt") for n in range(4)], "At most three files"),
    ],
)
def test_a_bad_file_is_said_at_the_field_and_nothing_is_kept(
    story: Story, files: list[SimpleUploadedFile], words: str
) -> None:
    before = tickets.counts()["open"]
    answer = story.client().post(reverse("contact"), LETTER | {"attached": files})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert tickets.counts()["open"] == before


def test_a_customers_file_is_theirs_alone(story: Story) -> None:
    owner = story.client(story.owner)
    owner.post(reverse("console_ticket", args=[story.ticket]), {"body": "See this", "attached": [file()]})
    thread = tickets.find_thread(story.ticket)
    assert thread is not None
    file_id = thread[1][-1].files[0].file_id
    address = reverse("console_ticket_file", args=[story.ticket, file_id])
    assert owner.get(address).status_code == 200
    assert story.client(story.other).get(address).status_code == 404
    assert story.client().get(address).status_code == 302
    desk = reverse("desk_ticket_file", args=[story.ticket, file_id])
    assert story.client(story.staff).get(desk).status_code == 200
    assert story.client(story.owner).get(desk).status_code == 404


def test_a_colleagues_letter_opens_with_a_reason_only(story: Story) -> None:
    helpdesk.answer(story.ticket, "Ours", story.other.pk)
    desk = story.client(story.staff)
    address = reverse("desk_ticket", args=[story.ticket])
    asked = desk.get(address)
    assert asked.status_code == 403
    assert b"Why do you open this letter" in asked.content
    assert b"Ours" not in asked.content
    assert desk.get(address, {"reason": "because"}).status_code == 403
    assert b"Ours" in desk.get(address, {"reason": "handover"}).content


def test_the_desk_lists_by_state(story: Story) -> None:
    desk = story.client(story.staff)
    for view in tickets.VIEWS:
        assert desk.get(reverse("desk_tickets"), {"view": view}).status_code == 200
    assert desk.get(reverse("desk_tickets"), {"view": "all"}).status_code == 404
