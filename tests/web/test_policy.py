"""The pages of the policy: the version in force, the past ones, what changed, and the files for programs."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.utils import timezone

from tollkeeper.accounts.models import User
from tollkeeper.catalog.services import load_shop
from tollkeeper.privacy import policy_queries, policy_store
from tollkeeper.privacy.models import PolicyNotice

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
SHOP = Path(__file__).resolve().parents[2] / "shops" / "twtapi"
PAGES = [
    "/privacy/",
    "/privacy.md",
    "/privacy.json",
    "/privacy/cookies/",
    "/privacy/california/",
    "/privacy/versions/",
    "/privacy/versions/feed.xml",
    "/privacy/versions/1/",
    "/privacy/versions/1/changes/",
    "/.well-known/gpc.json",
    "/.well-known/security.txt",
    "/.well-known/privacy.json",
]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(policy_store, "_evidence", [])
    load_shop(SHOP)
    path = tmp_path / "policy.toml"
    path.write_text((SHOP / "policy.toml").read_text())
    policy_store.store_policy(path)
    return path


def change(path: Path, old: str, new: str) -> int:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    return policy_store.store_policy(path)


def get(path: str, **headers: str):
    return Client(headers=headers).get(path)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_without_account_or_cookie_and_sets_none(file, path):
    answer = get(path)
    assert answer.status_code == 200
    assert not answer.cookies
    assert get(path).content == answer.content


@pytest.mark.parametrize("path", [path for path in PAGES if "versions/" not in path or path.endswith("1/")])
def test_without_a_version_in_force_there_is_nothing_to_show(path):
    load_shop(SHOP)
    assert get(path).status_code == 404


def test_the_page_shows_date_number_and_fingerprint_of_the_version(file):
    version = policy_queries.get_current()
    text = get("/privacy/").content.decode()
    assert f"Version 1, in force since {version.activated_at:%-d %B %Y}" in text
    assert version.body_hash in text
    assert "TwtAPI Example Ltd." in text


@pytest.mark.parametrize(
    ("language", "words"), [("zh-hans", "隐私政策"), ("zh-CN,zh;q=0.9", "隐私政策"), ("de", "Privacy policy")]
)
def test_the_page_speaks_the_language_of_the_browser_or_english(file, language, words):
    assert words in get("/privacy/", **{"Accept-Language": language}).content.decode()
    assert "# 隐私政策" in get("/privacy.md?language=zh").content.decode()


def test_a_past_version_reads_as_it_was(file):
    before = get("/privacy/versions/1/").content
    assert change(file, "You cannot sign in.", "You will not be able to sign in.") == 2
    now = get("/privacy/").content.decode()
    assert "You will not be able to sign in." in now
    past = get("/privacy/versions/1/").content.decode()
    assert "You cannot sign in." in past
    assert "no longer in force" in past
    body = past.partition("<article")[2].partition("</article>")[0]
    assert body == before.decode().partition("<article")[2].partition("</article>")[0]


def test_what_changed_is_marked_word_by_word(file):
    change(file, "You cannot sign in.", "You will not be able to sign in.")
    text = get("/privacy/versions/2/changes/").content.decode()
    assert "<del>" in text
    assert "<ins>" in text
    assert get("/privacy/versions/3/changes/").status_code == 404


def test_a_draft_is_nobodys_business_until_it_is_announced(file):
    assert change(file, "[keep.session]\ndays = 14", "[keep.session]\ndays = 15") == 2
    assert get("/privacy/versions/2/").status_code == 404
    assert b"Version 2" not in get("/privacy/").content
    policy_store.announce(2, [], timezone.now())
    assert b"Version 2 starts on" in get("/privacy/").content
    assert b"not yet in force" in get("/privacy/versions/2/").content
    assert b"lengthens a period" in get("/privacy/versions/2/changes/").content


def test_a_person_closes_the_notice_of_a_change(file):
    user = User.objects.create_user()
    change(file, "[keep.session]\ndays = 14", "[keep.session]\ndays = 15")
    policy_store.announce(2, [user.pk], timezone.now())
    client = Client()
    assert client.post("/privacy/versions/2/seen/").status_code == 302
    assert PolicyNotice.objects.get().seen_at is None
    client.force_login(user)
    assert client.get("/privacy/versions/2/seen/").status_code == 405
    client.post("/privacy/versions/2/seen/")
    assert PolicyNotice.objects.get().seen_at is not None


def test_the_feed_lists_versions_that_were_announced(file):
    change(file, "You cannot sign in.", "You will not be able to sign in.")
    feed = ET.fromstring(get("/privacy/versions/feed.xml").content)
    name = "{http://www.w3.org/2005/Atom}"
    assert feed.find(f"{name}updated") is not None
    assert len(feed.findall(f"{name}entry")) == 2


def test_the_documents_are_those_that_were_stored(file):
    version = policy_queries.get_current()
    pages = json.loads(get("/privacy.json").content)
    assert set(pages) == {"en", "zh"}
    assert len(pages["en"]["sections"]) == len(version.page("en").sections)
    facts = json.loads(get("/.well-known/privacy.json").content)
    assert facts["sha256"] == version.body_hash
    assert facts["version"] == 1


def test_security_txt_does_not_run_out_within_the_month(file, time_machine):
    time_machine.move_to("2026-11-30T23:59:00Z", tick=False)
    text = get("/.well-known/security.txt").content.decode()
    assert "Expires: 2027-10-31T00:00:00Z" in text


def test_the_record_is_for_staff(file):
    user = User.objects.create_user()
    client = Client()
    client.force_login(user)
    assert client.get("/desk/privacy/record/").status_code == 404
    user.is_staff = True
    user.save()
    assert client.get("/desk/privacy/record/").status_code == 302  # to a second factor
    TOTP.activate(user, generate_totp_secret())
    text = client.get("/desk/privacy/record/").content.decode()
    assert "Record of processing activities" in text
    assert client.get("/desk/privacy/record/?format=md")["Content-Type"].startswith("text/markdown")


def test_a_shop_outside_the_ccpa_has_no_such_page(file):
    text = file.read_text()
    ccpa = text.index("[regimes.ccpa]")
    end = text.index("# ----", ccpa)
    file.write_text(text[:ccpa] + "[regimes.ccpa]\napplies = false\n\n" + text[end:])
    number = policy_store.store_policy(file)
    policy_store.announce(number, [], timezone.now())
    assert policy_queries.get_version(number).reasons == ("right",)
    assert "ccpa" not in [section.id for section in policy_queries.get_version(number).page("en").sections]
