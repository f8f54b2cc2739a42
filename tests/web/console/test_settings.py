"""The profile: nickname and language, both optional, both kept."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from tests.web.story import Story
from tollkeeper.accounts.models import User


def test_saving_and_removing(story: Story) -> None:
    client = story.client(story.owner)
    url = reverse("console_settings")
    answer = client.post(url, {"nickname": "  Lena  L. ", "language": "zh-hans"})
    assert answer.status_code == 302
    assert answer.cookies[settings.LANGUAGE_COOKIE_NAME].value == "zh-hans"
    owner = User.objects.get(pk=story.owner.pk)
    assert (owner.nickname, owner.language) == ("Lena L.", "zh-hans")
    client.post(url, {"nickname": "", "language": "en"})
    assert not User.objects.get(pk=story.owner.pk).nickname


def test_what_cannot_be_is_said(story: Story) -> None:
    client = story.client(story.owner)
    url = reverse("console_settings")
    for bad in ({"nickname": "x" * 41, "language": "en"}, {"nickname": "a", "language": "tlh"}, {}):
        answer = client.post(url, bad)
        assert answer.status_code == 422
        assert "field-error" in answer.content.decode()
    assert not User.objects.get(pk=story.owner.pk).nickname


def test_the_customer_number_is_there_to_copy(story: Story) -> None:
    page = story.client(story.owner).get(reverse("console_settings")).content.decode()
    assert story.owner.customer.public_id in page
