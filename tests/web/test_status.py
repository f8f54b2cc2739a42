"""The status page says what is, also when it is bad."""

from __future__ import annotations

import dataclasses
import socket

import pytest
from django.conf import settings
from django.core.cache import cache
from django.urls import reverse

from tests.web.story import Story
from tollkeeper.web import status


def page(story: Story) -> str:
    cache.clear()
    return story.client().get(reverse("status")).content.decode()


def test_a_gate_that_does_not_listen_is_said(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(settings, "ENV", dataclasses.replace(settings.ENV, gate_url=url))
        assert "All systems work" in page(story)
    assert "Something is down" in page(story)


def test_late_work_is_said(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(settings, "ENV", dataclasses.replace(settings.ENV, gate_url=url))
        monkeypatch.setattr(status.kit, "oldest_due_s", lambda: 500.0)
        assert "Some things are not as they should be" in page(story)
