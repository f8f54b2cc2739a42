"""Static files may be kept for ever under their hash; pages for people with cookies are not compressed."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.test.client import RequestFactory

from tollkeeper.web.static_files import CompressPublic, HashedFiles

CSS = "tk/css/base.css"


@pytest.fixture
def collected(tmp_path: Path) -> HashedFiles:
    with override_settings(STATIC_ROOT=tmp_path):
        call_command("collectstatic", interactive=False, verbosity=0)
        return HashedFiles()


def test_a_file_has_its_hash_in_its_name_and_a_compressed_twin(
    collected: HashedFiles, tmp_path: Path
) -> None:
    url = collected.url(CSS)
    assert url.startswith("/static/tk/css/base.")
    assert url != f"/static/{CSS}"
    file = tmp_path / url.removeprefix("/static/")
    assert gzip.decompress(file.with_name(file.name + ".gz").read_bytes()) == file.read_bytes()
    assert "inter." in (tmp_path / collected.url("tk/css/tokens.css").removeprefix("/static/")).read_text()


def test_a_file_that_was_not_collected_keeps_its_name(collected: HashedFiles) -> None:
    assert collected.url("tk/css/later.css") == "/static/tk/css/later.css"


def test_before_anything_was_collected_plain_names_are_served(tmp_path: Path) -> None:
    with override_settings(STATIC_ROOT=tmp_path / "empty"):
        assert HashedFiles().url(CSS) == f"/static/{CSS}"


@pytest.mark.parametrize(("cookies", "compressed"), [({}, True), ({"sessionid": "x"}, False)])
def test_only_visitors_without_cookies_get_compressed_pages(
    cookies: dict[str, str], compressed: bool
) -> None:
    request: HttpRequest = RequestFactory().get("/", headers={"Accept-Encoding": "gzip"})
    request.COOKIES = cookies
    answer = CompressPublic(lambda _: HttpResponse("words " * 500))(request)
    assert (answer.get("Content-Encoding") == "gzip") is compressed


@pytest.mark.django_db
def test_forms_end_here_or_on_the_page_of_the_payment_provider() -> None:
    policy = Client().get("/healthz")["Content-Security-Policy"]
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert rules["form-action"].split()[0] == "'self'"
    assert all("stripe.com" in one for one in rules["form-action"].split()[1:])
    assert "stripe" not in rules["default-src"]
