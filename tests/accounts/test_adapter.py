"""A stranger's ways through sign-up, sign-in and settings; and what they leave behind raw."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, override_settings

from tollkeeper.accounts.models import User
from tollkeeper.privacy.canary import Hit, Scanner

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)

EMAIL = "Canary.User+tag@Example.org"
PASSWORD = "correct-h0rse battery"
OLD = {"old_enough": "on"}
NEEDLES = ("canary.user", "canary.user+tag@example.org", PASSWORD, "Canary-Agent/9")


@pytest.fixture(autouse=True)
def _fresh(transactional_db: None, plain_pages: None) -> None:
    cache.clear()


@pytest.fixture
def client() -> Client:
    return Client(headers={"user-agent": "Canary-Agent/9"}, REMOTE_ADDR="203.0.113.77")


def code() -> str:
    found = re.search(r"^([A-Z0-9]{3,4}-?[A-Z0-9]{3,4})\s*$", str(mail.outbox[-1].body), re.M)
    assert found, mail.outbox[-1].body
    return found[1]


def sign_up(client: Client, email: str = EMAIL) -> None:
    answer = client.post("/accounts/signup/", {"email": email, "password1": PASSWORD, **OLD})
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    answer = client.post(answer["Location"], {"code": code()})
    assert answer.status_code == 302, answer.content.decode()[-2000:]


def sign_in(client: Client, email: str = EMAIL, password: str = PASSWORD) -> int:
    return client.post("/accounts/login/", {"login": email, "password": password}).status_code


def sign_in_again(client: Client, answer: HttpResponse) -> HttpResponse:
    """What guards changes of an account: the password once more, then what was asked for goes on."""
    assert answer.status_code == 302, "a change without a fresh sign-in"
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    return client.post(answer["Location"], {"password": PASSWORD})


def hits() -> set[Hit]:
    scanner = Scanner(NEEDLES)
    rows = {hit for alias in ("default", "keystore") for hit in scanner.scan_database(alias)}
    return rows | set(scanner.scan_folder(settings.ENV.home))


def test_sign_up_by_code_and_sign_in_in_any_letter_case(client: Client) -> None:
    answer = client.post("/accounts/signup/", {"email": EMAIL, "password1": PASSWORD, **OLD})
    assert mail.outbox[-1].to == [EMAIL.lower()]
    assert hits() == set()
    assert not EmailAddress.objects.get().verified
    client.post(answer["Location"], {"code": code()})
    assert EmailAddress.objects.get().verified
    assert "_auth_user_id" in client.session
    assert hits() == set()
    client.post("/accounts/logout/")
    assert sign_in(client, EMAIL.upper()) == 302
    assert "_auth_user_id" in client.session
    assert hits() == set()


def test_without_the_word_on_age_nothing_is_stored(client: Client) -> None:
    answer = client.post("/accounts/signup/", {"email": EMAIL, "password1": PASSWORD})
    assert answer.status_code == 200
    assert User.objects.count() == 0
    assert mail.outbox == []
    assert hits() == set()


def test_a_wrong_password_is_a_form_error(client: Client) -> None:
    sign_up(client)
    client.post("/accounts/logout/")
    assert sign_in(client, password="wrong") == 200
    assert "_auth_user_id" not in client.session


def test_a_wrong_code_does_not_verify(client: Client) -> None:
    answer = client.post("/accounts/signup/", {"email": EMAIL, "password1": PASSWORD, **OLD})
    assert client.post(answer["Location"], {"code": "AAAA-AAAA"}).status_code == 200
    assert not EmailAddress.objects.get().verified


def test_nobody_learns_who_has_an_account(client: Client) -> None:
    sign_up(client)
    cache.clear()
    stranger = Client()
    known = stranger.post("/accounts/signup/", {"email": EMAIL.upper(), "password1": PASSWORD, **OLD})
    assert "already have an account" in mail.outbox[-1].subject
    assert User.objects.count() == 1
    unknown = Client().post("/accounts/signup/", {"email": "other@example.org", "password1": PASSWORD, **OLD})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    places = set()
    for address in (EMAIL, "nobody@example.org"):
        answer = Client().post("/accounts/password/reset/", {"email": address})
        assert answer.status_code == 302
        assert "reset" in answer["Location"]
        places.add(answer["Location"])
    assert len(places) == 1


def test_sign_in_by_a_mailed_code(client: Client) -> None:
    sign_up(client)
    client.post("/accounts/logout/")
    answer = client.post("/accounts/login/code/", {"email": EMAIL})
    assert answer.status_code == 302
    client.post(answer["Location"], {"code": code()})
    assert "_auth_user_id" in client.session
    assert hits() == set()


def test_a_new_password_by_code(client: Client) -> None:
    sign_up(client)
    client.post("/accounts/logout/")
    answer = client.post("/accounts/password/reset/", {"email": EMAIL})
    answer = client.post(answer["Location"], {"code": code()})
    new = "another-h0rse battery"
    answer = client.post(answer["Location"], {"password1": new, "password2": new})
    assert answer.status_code == 302
    client.post("/accounts/logout/")
    cache.clear()
    assert sign_in(client, password=new) == 302


def test_changing_the_address(client: Client) -> None:
    sign_up(client)
    answer = client.post("/accounts/email/", {"email": "second@example.org", "action_add": ""})
    answer = sign_in_again(client, answer)
    assert answer.status_code == 302
    answer = client.post("/accounts/confirm-email/", {"code": code()})
    assert [row.email for row in EmailAddress.objects.all()] == ["second@example.org"]
    client.post("/accounts/logout/")
    cache.clear()
    assert sign_in(client) == 200
    assert sign_in(client, "second@example.org") == 302


def _totp(secret: str) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(secret, counter))


def test_a_second_factor(client: Client) -> None:
    sign_up(client)
    sign_in_again(client, client.get("/accounts/2fa/totp/activate/"))
    page = client.get("/accounts/2fa/totp/activate/")
    secret = page.context["form"].secret
    assert EMAIL.lower() in unquote(page.context["totp_url"])
    answer = client.post("/accounts/2fa/totp/activate/", {"code": _totp(secret)})
    assert answer.status_code == 302
    assert Authenticator.objects.count() == 2  # and the recovery codes
    scanner = Scanner([secret])
    assert not list(scanner.scan_database("default"))
    client.post("/accounts/logout/")
    cache.clear()
    assert sign_in(client) == 302
    assert "_auth_user_id" not in client.session
    cache.clear()
    answer = client.post("/accounts/2fa/authenticate/", {"code": _totp(secret)})
    assert "_auth_user_id" in client.session
    assert hits() == set()


def test_the_list_of_sessions_and_ending_the_others(client: Client) -> None:
    sign_up(client)
    other = Client(headers={"user-agent": "Other/1"}, REMOTE_ADDR="203.0.113.78")
    assert sign_in(other) == 302
    page = client.get("/accounts/sessions/").content.decode()
    assert "203.0.113.77" in page
    assert "203.0.113.78" in page
    client.post("/accounts/sessions/")
    assert "_auth_user_id" in client.session
    assert "_auth_user_id" not in other.session


def test_too_many_wrong_passwords_are_slowed_down_by_the_shared_cache(client: Client) -> None:
    sign_up(client)
    client.post("/accounts/logout/")
    for _ in range(5):
        sign_in(client, password="wrong")
    page = client.post("/accounts/login/", {"login": EMAIL, "password": PASSWORD})
    assert b"Too many failed login attempts" in page.content
    assert hits() == set()


@pytest.mark.parametrize("password", ["short", "1234567890123", "password123"])
def test_weak_passwords_are_refused(client: Client, password: str) -> None:
    answer = client.post("/accounts/signup/", {"email": EMAIL, "password1": password, **OLD})
    assert answer.status_code == 200
    assert User.objects.count() == 0


def test_the_password_is_kept_as_argon2id(client: Client) -> None:
    sign_up(client)
    assert User.objects.get().password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with override_settings(EMAIL_BACKEND="tollkeeper.kit.mail.FileBackend", MAIL_FOLDER=tmp_path / "mail"):
        yield tmp_path / "mail"


def test_mails_are_files_in_text_and_html(client: Client, folder: Path) -> None:
    client.post("/accounts/signup/", {"email": EMAIL, "password1": PASSWORD, **OLD})
    (path,) = folder.iterdir()
    assert path.suffix == ".eml"
    assert path.stat().st_mode & 0o077 == 0
    text = path.read_text()
    assert "text/plain" in text
    assert "text/html" in text
    assert "<style>" not in text


@pytest.mark.parametrize(("browser", "language"), [("zh-CN", "zh-hans"), ("fr", "en"), ("en", "en")])
def test_who_signs_up_is_written_to_in_the_language_of_the_page(browser: str, language: str) -> None:
    said = {"email": "ada@example.org", "password1": "a-long-enough-phrase-7", "old_enough": "on"}
    Client(headers={"Accept-Language": browser}).post("/accounts/signup/", said)
    assert User.objects.get().language == language
