"""The shop's colour is laid over the house's, and ink on it can be read."""

from __future__ import annotations

import msgspec
import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from tests.web.story import Story
from tollkeeper.web import brand


@given(st.integers(0, 0xFFFFFF))
def test_ink_is_readable_on_every_colour(number: int) -> None:
    colour = f"#{number:06x}"
    light, ink = brand.luminance(colour), brand.luminance(brand.ink_on(colour))
    contrast = (max(light, ink) + 0.05) / (min(light, ink) + 0.05)
    assert contrast >= 4.3


def test_luminance_of_the_ends() -> None:
    assert brand.luminance("#000000") == 0
    assert brand.luminance("#ffffff") == pytest.approx(1)


def test_a_colour_of_its_own_reaches_the_page(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    client = story.client()
    assert client.get(reverse("brand_css")).content == b""
    assert reverse("brand_css") not in client.get("/").content.decode()
    shop = msgspec.structs.replace(brand.catalog.current_shop(), accent="#0a7f3f")
    monkeypatch.setattr(brand.catalog, "current_shop", lambda *_: shop)
    answer = client.get(reverse("brand_css"))
    assert answer["Content-Type"].startswith("text/css")
    assert "light-dark(#0a7f3f" in answer.content.decode()
    assert reverse("brand_css") in client.get("/").content.decode()
