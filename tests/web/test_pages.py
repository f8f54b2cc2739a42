"""Whole room: every template of the pages is drawn in both languages, and none breaks the policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.template import Context, Origin, Template
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.test.signals import template_rendered
from django.urls import reverse
from django.utils import timezone, translation

from tests.services.money import price_of
from tests.web import test_access
from tests.web.story import Story, Strict
from tollkeeper.core.terms import MICRO
from tollkeeper.flows import plan_change, unspent
from tollkeeper.kit.models import Job
from tollkeeper.sales import queries as sales
from tollkeeper.web import clients, errors

ROOT = Path(errors.__file__).parent / "templates"
ELSEWHERE = (
    "docs/",
    "policy/",
    "mail/",
    "privacy/",
    "console/privacy",
    "copy/",
    "console/close",
    "parts/thread",
    "console/ticket",
    "console/webhook.",
    "console/relay_replace",
    "desk/ticket",
    "desk/request",
    "desk/privacy",
    "desk/promises",
    "desk/customer_restricted",
    "desk/authority",
    "desk/breach",
    "desk/hold_new",
    "desk/factor",
    "storefront/letter",
    "storefront/report",
    "storefront/request",
)
"""Templates whose rooms draw them in tests of their own."""
PASSWORD = "a-long-enough-phrase-7"
THEIRS = ("privacy", "ticket", "letter", "request", "report", "close")
"""Words in the names of addresses of those rooms."""
ACCOUNT_PAGES = (
    "account_login", "account_signup", "account_logout", "account_email", "account_change_password",
    "account_reset_password", "account_request_login_code", "account_reauthenticate", "mfa_index",
    "usersessions_list", "mfa_activate_totp", "mfa_add_webauthn", "mfa_list_webauthn",
)  # fmt: skip


@contextmanager
def drawn() -> Iterator[set[str]]:
    """The names of all templates that are drawn meanwhile."""
    names: set[str] = set()

    def note(sender: Any, template: Any, **_: Any) -> None:
        if template.name:
            names.add(template.name)

    template_rendered.connect(note)
    yield names
    template_rendered.disconnect(note)


def visit(client: Client, url: str) -> None:
    answer = client.get(url, headers={"Accept": "text/html"}, follow=True)
    assert answer.status_code in (200, 204), url
    wrong = Strict(answer.content.decode()).wrong if answer["Content-Type"].startswith("text/html") else []
    assert wrong == [], url


def buy_and_look(story: Story) -> None:
    """What only shows in the middle of things."""
    client = story.client(story.other)
    client.post(reverse("checkout", args=["pack-10k", price_of("pack-10k")]))
    number = sales.list_orders(story.other.customer.pk)[0].number
    visit(client, reverse("checkout_return", args=[number]))
    story.client(story.owner).post(reverse("console_key_reveal", args=[story.delivery_id]))
    story.client(story.owner).post(reverse("console_key_new"), {"name": ""})


def settings_of_programs() -> None:
    """The shop of the tests sells no models: a place is given."""
    place = clients.Place("https://api.example", clients.ALL, "m-1")
    values = {"client_settings": clients.settings_for(place, "KEY", "shop")}
    assert Strict(render_to_string("console/client_settings.html", values)).wrong == []


def give_back(story: Story, patch: pytest.MonkeyPatch) -> None:
    """The shop of the tests promises nothing of the kind: the day is given."""
    patch.setattr(unspent, "returnable_until", lambda _: timezone.now())
    visit(story.client(story.owner), reverse("console_order", args=[story.number]))
    visit(story.client(story.owner), reverse("console_give_back", args=[story.number]))


def sign_up(story: Story) -> None:
    client = story.client()
    client.get(reverse("checkout", args=["pro", price_of("pro")]))
    visit(client, reverse("account_signup"))
    form = {"email": "fresh@example.com", "password1": PASSWORD, "old_enough": "on"}
    assert client.post(reverse("account_signup"), form, follow=True).status_code == 200
    Client().post(reverse("account_request_login_code"), {"email": "x@example.com"}, follow=True)
    Client().post(reverse("account_reset_password"), {"email": "x@example.com"}, follow=True)
    for _ in range(40):
        if (
            Client().post(reverse("account_login"), {"login": "x@example.com", "password": "no"}).status_code
            == 429
        ):
            break


def second_factor(story: Story) -> None:
    """allauth's pages about factors, by somebody who has some and has just shown a password."""
    client = story.client(story.owner)
    TOTP.activate(story.owner, generate_totp_secret())
    RecoveryCodes.activate(story.owner)
    visit(client, reverse("mfa_reauthenticate"))
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    for name in (
        "mfa_index",
        "mfa_view_recovery_codes",
        "mfa_generate_recovery_codes",
        "mfa_deactivate_totp",
    ):
        visit(client, reverse(name))
    fresh = story.client(story.staff)
    story.staff.set_password(PASSWORD)
    story.staff.save()
    fresh.force_login(story.staff)
    fresh.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    visit(fresh, reverse("mfa_activate_totp"))
    visit(fresh, reverse("mfa_add_webauthn"))


def elements() -> None:
    """The parts of allauth's pages that none of the pages above happens to use."""
    table = (
        "{% element table %}{% element thead %}{% element tr %}"
        "{% element th %}a{% endelement %}{% endelement %}{% endelement %}"
        "{% element tbody %}{% element tr %}{% element td align='right' %}b{% endelement %}{% endelement %}"
        "{% endelement %}{% endelement %}"
    )
    rest = "".join(
        f"{{% element {name} %}}x{{% endelement %}}" for name in ("h2", "hr", "badge", "button_group", "img")
    )
    slots = (
        "{% element alert %}{% slot message %}careful{% endslot %}{% endelement %}{% element details %}"
        "{% slot summary %}more{% endslot %}{% slot body %}text{% endslot %}{% endelement %}"
    )
    place = Origin("elements.html", "elements.html")
    text = Template("{% load allauth %}" + table + rest + slots, place).render(Context())
    assert Strict(text).wrong == []
    assert text.index(">a<") < text.index(">b<")
    assert "careful" in text


def change_of_plan(story: Story, patch: pytest.MonkeyPatch) -> None:
    """The shop of the tests has no second plan: the sum is given."""
    now = timezone.now()
    quote = plan_change.Quote(
        "upgrade", 1234, 500, "USD", "Scale", 9900, "month", now, (("calls", 5 * MICRO),), now, False
    )
    patch.setattr(plan_change, "quote_change", lambda *_: quote)
    held = sales.current_plan(story.customer_id)
    assert held is not None
    url = reverse("console_plan_switch", args=[held.subscription, "scale", "usd-month"])
    page = story.client(story.owner).get(url).content.decode()
    assert "$12.34" in page
    assert "−$5.00" in page


def dead_job(story: Story) -> None:
    now = timezone.now()
    Job.objects.create(
        kind="x", key="x", purpose="order", state="dead", run_at=now, created_at=now, finished_at=now
    )
    visit(story.client(story.staff), reverse("desk_jobs"))


def show_errors(story: Story) -> None:
    request = RequestFactory().get("/", headers={"Accept": "text/html"})
    request.user, request.session = story.owner, {}  # type: ignore[assignment]
    errors.not_found(request, Exception())
    errors.broken(request)


@pytest.mark.parametrize("language", [code for code, _ in settings.LANGUAGES])
def test_every_template_is_drawn(story: Story, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    story.owner.set_password(PASSWORD)
    story.owner.save()
    with drawn() as names, translation.override(language):
        for who in (None, story.owner, story.other, story.staff):
            client = story.client(who)
            client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
            for name, url in test_access.addresses(story).items():
                if name in test_access.POST_ONLY or any(word in name for word in THEIRS):
                    continue
                if who is not story.owner and name.startswith(("console_", "checkout_")):
                    continue
                if who != story.staff and name.startswith("desk"):
                    continue
                visit(client, url)
            for name in ACCOUNT_PAGES:
                if who in (None, story.owner):
                    visit(client, reverse(name))
        buy_and_look(story)
        give_back(story, monkeypatch)
        settings_of_programs()
        sign_up(story)
        second_factor(story)
        elements()
        change_of_plan(story, monkeypatch)
        dead_job(story)
        show_errors(story)
    files = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.html")}
    never = {name for name in files - names if not name.startswith(ELSEWHERE)}
    if never:
        pytest.fail("never drawn: " + ", ".join(sorted(never)))
