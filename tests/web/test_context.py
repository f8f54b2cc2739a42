"""What every page knows of the shop, in its reader's language."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from tests.web.story import Story
from tollkeeper.catalog import queries as catalog
from tollkeeper.catalog.services import load_shop
from tollkeeper.usage import services as usage


def test_a_page_tells_the_shop_and_its_units_in_the_readers_language(story: Story) -> None:
    load_shop(settings.ENV.shop.parent / "gettoken")
    there = catalog.current_shop("zh-hans")
    unit = next(iter(there.units))
    assert there.units[unit].many != catalog.current_shop().units[unit].many
    usage.issue_grant(key="x", customer_id=story.customer_id, unit=unit, amount=5, source="test")
    for name in ("console", "console_usage"):
        page = story.client(story.owner).get(reverse(name), headers={"accept-language": "zh-hans"})
        assert there.units[unit].many in page.content.decode(), name
    home = story.client().get(reverse("home"), headers={"accept-language": "zh-hans"}).content.decode()
    assert there.tagline in home
    assert catalog.current_shop().tagline not in home
