"""The mail page shows the folder, and only the folder, and never when live."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import reverse

from tests.web.story import Strict
from tollkeeper.catalog import services
from tollkeeper.kit.mail import FileBackend

pytestmark = pytest.mark.django_db
HTML = {"Accept": "text/html"}


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    services.load_shop(settings.ENV.shop)
    monkeypatch.setattr(settings, "ENV", dataclasses.replace(settings.ENV, home=tmp_path))
    monkeypatch.setattr(settings, "MAIL_FOLDER", tmp_path / "mail")
    return tmp_path / "mail"


def write(subject: str, text: str, html: str = "") -> None:
    message = EmailMultiAlternatives(subject, text, "shop@example.com", ["me@example.com"])
    if html:
        message.attach_alternative(html, "text/html")
    FileBackend().send_messages([message])


def test_an_empty_folder_has_words(box: Path) -> None:
    assert "No mail yet" in Client().get(reverse("dev_mail")).content.decode()


def test_the_newest_is_open_and_others_are_a_click_away(box: Path) -> None:
    write("First", "one")
    write("Second & last", "two", "<p>two</p><script>alert(1)</script>")
    page = Client().get(reverse("dev_mail")).content.decode()
    assert page.index("Second &amp; last") < page.index("First")
    assert Strict(page).wrong == []
    assert "<script>alert" not in page, "the text of a mail never becomes part of our page"
    older = sorted(path.stem for path in box.glob("*.eml"))[0]
    assert "one" in Client().get(reverse("dev_mail_one", args=[older])).content.decode()


def test_the_html_part_is_shown_without_scripts(box: Path) -> None:
    write("Hello", "two", "<p>two</p><script>alert(1)</script>")
    name = next(box.glob("*.eml")).stem
    answer = Client().get(reverse("dev_mail_html", args=[name]))
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert "sandbox" in Client().get(reverse("dev_mail_one", args=[name])).content.decode()


@pytest.mark.parametrize("name", ["..", "..%2f..%2fsecrets%2fdjango", "nothing", ".hidden", "a" * 300])
def test_nothing_outside_of_the_folder_is_found(box: Path, name: str) -> None:
    box.mkdir(parents=True, exist_ok=True)
    (box.parent / "secret.eml").write_text("Subject: no\n\nno")
    assert Client().get(f"/dev/mail/{name}/", headers=HTML).status_code == 404
    assert Client().get(f"/dev/mail/{name}/html/", headers=HTML).status_code == 404


def test_absent_when_live(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("Secret", "code")
    name = next(box.glob("*.eml")).stem
    monkeypatch.setattr(settings, "ENV", dataclasses.replace(settings.ENV, live=True))
    for url in (
        reverse("dev_mail"),
        reverse("dev_mail_one", args=[name]),
        reverse("dev_mail_html", args=[name]),
    ):
        assert Client().get(url, headers=HTML).status_code == 404
