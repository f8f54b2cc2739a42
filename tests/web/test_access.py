"""Who sees what: every address of the house, asked by everybody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.services.money import price_of
from tests.web.story import Story, Strict
from tollkeeper.sales import queries as sales

PUBLIC = ("home", "plans", "healthz", "dev_mail", "checkout", "contact", "imprint", "status", "brand_css")
"""Pages of ours for everybody; checkout leads strangers to sign-up."""
POST_ONLY = {
    "checkout_pay",
    "checkout_cancel",
    "checkout_transfer",
    "console_redeem",
    "console_key_pause",
    "console_key_resume",
    "console_relay_look",
    "console_relay_pause",
    "console_relay_resume",
    "console_plan_keep",
    "console_plan_overage",
    "console_plan_pay",
    "console_plan_resume",
    "console_plan_payment",
    "console_plan_pause",
    "console_privacy_ask",
    "console_privacy_copy",
    "console_privacy_choose",
    "console_privacy_restrict",
    "desk_order_ask",
    "desk_order_clear",
    "desk_order_enough",
    "desk_order_strays",
    "desk_order_trust",
    "desk_compare",
    "desk_finding_settled",
    "desk_transfer_returned",
    "desk_order_refund",
    "desk_order_transfer",
    "desk_order_unspent",
    "desk_plan",
    "desk_statement",
    "desk_coupon_cancel",
    "desk_transfer_assign",
    "desk_job_retry",
    "desk_job_cancel",
    "desk_ticket_close",
}
ELSEWHERE = (
    "account_",
    "mfa_",
    "usersessions_",
    "docs",
    "privacy_",
    "wellknown_",
    "hook",
    "set_language",
    "letter",
    "console_ticket_file",
    "desk_ticket_file",
    "desk_evidence",
    "desk_hand_in",
    "desk_codes",
    "desk_refund_sent",
    "desk_refund_otherwise",
    "desk_journal",
    "desk_privacy",
    "desk_promises",
    "desk_factor",
    "desk_backups_payments",
    "console_privacy_fetch",
    "drp_",
    "console_privacy_claim",
    "console_relay_replace",
    "console_webhook",
    "desk_webhook",
    "desk_relay",
)
"""Prefixes of names whose rooms test their own pages, or whose behaviour is the library's."""
LISTS = {"console_webhooks", "desk_relays", "desk_webhooks"}


def names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name


def route_of(name: str) -> str:
    """The route with its placeholders; one that has any names a thing of somebody's."""
    return next(iter(get_resolver().reverse_dict.getlist(name)))[1]


def addresses(story: Story) -> dict[str, str]:
    """Every address of ours, made of things of the owner's."""
    order = sales.get_order(story.customer_id, story.number)
    key, handed = [story.key_id], [story.delivery_id]
    plan = sales.current_plan(story.customer_id)
    assert plan is not None
    held: list[object] = [plan.subscription]
    arguments: dict[str, list[object]] = {
        "checkout": ["pro", price_of("pro")],
        "checkout_return": [story.number],
        "checkout_cancelled": [story.number],
        "checkout_state": [story.number],
        "checkout_pay": [story.unpaid],
        "checkout_cancel": [story.unpaid],
        "checkout_transfer": [story.unpaid],
        "console_document_pdf": [story.number, receipt_of(story)],
        "desk_order_transfer": [story.number],
        "desk_transfer_assign": [999_999],
        "desk_transfer_returned": [999_999],
        "desk_finding_settled": [999_999],
        "desk_order_enough": [story.number],
        "desk_order_strays": [story.number],
        "desk_order_trust": [story.number],
        "desk_coupon_cancel": [999_999],
        "console_key_rules": key,
        "console_key_revoke": key,
        "console_key_replace": key,
        "console_key_reveal": handed,
        "console_order": [story.number],
        "console_key_pause": key,
        "console_key_resume": key,
        "console_relay_look": handed,
        "console_relay_pause": handed,
        "console_relay_resume": handed,
        "console_receipt": [story.number, receipt_of(story)],
        "desk_order": [story.number],
        "console_plan": held,
        "console_plan_cancel": held,
        "console_plan_keep": held,
        "console_plan_overage": held,
        "console_plan_pay": held,
        "console_plan_resume": held,
        "console_plan_payment": held,
        "console_plan_pause": held,
        "console_plan_switch": [*held, "pro", price_of("pro")],
        "desk_order_ask": [story.number],
        "desk_order_clear": [story.number],
        "desk_order_refund": [story.number],
        "desk_order_unspent": [story.number],
        "desk_plan": ["pro", "offer"],
        "desk_plan_stop": ["pro"],
        "console_give_back": [story.number],
        "desk_customer": [order.customer],
        "desk_customer_units": [order.customer],
        "console_ticket": [story.ticket],
        "desk_ticket": [story.ticket],
        "desk_ticket_close": [story.ticket],
        "desk_job_retry": [999_999],
        "desk_job_cancel": [999_999],
    }
    every = names(get_resolver().url_patterns)
    ours = [name for name in every if name in LISTS or not name.startswith(ELSEWHERE)]
    return {
        name: reverse(name, args=arguments.get(name)) for name in ours if not name.startswith("dev_mail_")
    }


def receipt_of(story: Story) -> str:
    from tollkeeper.payments import queries as payments  # noqa: PLC0415

    return payments.get_receipt(story.customer_id, story.number).number


def ask(client: Client, name: str, url: str) -> HttpResponse:
    return client.post(url) if name in POST_ONLY else client.get(url, headers={"Accept": "text/html"})


def is_login(answer: HttpResponse) -> bool:
    return answer.status_code == 302 and answer["Location"].startswith("/accounts/")


def test_strangers_see_public_pages_only(story: Story) -> None:
    client = story.client()
    for name, url in addresses(story).items():
        answer = ask(client, name, url)
        if name == "checkout":
            assert is_login(answer)
        elif name in PUBLIC:
            assert answer.status_code == 200, name
        else:
            assert is_login(answer), (name, answer.status_code)


def test_the_owner_sees_all_of_theirs_and_no_desk(story: Story) -> None:
    client = story.client(story.owner)
    for name, url in addresses(story).items():
        if name in POST_ONLY and not name.startswith("desk"):
            continue  # they change things; each has a test of its own
        answer = ask(client, name, url)
        if name.startswith("desk"):
            assert answer.status_code == 404, name
        elif name == "console_plan_switch":
            assert answer.status_code == 302, "a change to the same plan is refused"
        elif name == "contact":
            assert answer["Location"] == reverse("console_ticket_new")
        elif name == "console_first":
            assert answer.headers["HX-Refresh"] == "true"
        else:
            assert answer.status_code == 200, (name, answer.status_code)
            if answer["Content-Type"].startswith("text/html"):
                assert Strict(answer.content.decode()).wrong == [], name


@pytest.mark.parametrize("who", ["other", "staff"])
def test_nobody_else_gets_at_what_is_the_owners(story: Story, who: str) -> None:
    client = story.client(getattr(story, who))
    secrets = [story.number, story.unpaid, story.ticket, receipt_of(story), *story.request_ids]
    for name, url in addresses(story).items():
        if name.startswith("desk"):
            continue
        answer = ask(client, name, url)
        if name in PUBLIC:
            continue
        if "(" in route_of(name):
            assert answer.status_code == 404, (name, answer.status_code)
        text = answer.getvalue().decode()  # type: ignore[attr-defined]
        assert not [secret for secret in secrets if secret in text], name


def test_others_change_nothing_of_the_owners(story: Story) -> None:
    client = story.client(story.other)
    for name in ("console_key_revoke", "console_key_replace", "console_key_reveal"):
        url = addresses(story)[name]
        assert client.post(url, {"overlap": "0"}).status_code == 404
    owner = story.client(story.owner)
    text = owner.get(reverse("console_keys")).content.decode()
    assert "Active" in text
    assert "Show my key" in text


def test_the_desk_is_for_staff(story: Story) -> None:
    staff, customer = story.client(story.staff), story.client(story.other)
    for name, url in addresses(story).items():
        if not name.startswith("desk"):
            continue
        assert ask(customer, name, url).status_code == 404, name
        answer = ask(staff, name, url)
        assert answer.status_code == (302 if name in POST_ONLY else 200), (name, answer.status_code)
        assert "@example.com" not in answer.content.decode(), f"{name} shows an address"
        if name not in POST_ONLY:
            assert Strict(answer.content.decode()).wrong == [], name


def test_verbs_want_a_post_and_the_token_of_a_form(story: Story) -> None:
    links = addresses(story)
    owner = story.client(story.owner)
    strict = story.client(story.owner, strict=True)
    for name in sorted(POST_ONLY):
        who = story.client(story.staff) if name.startswith("desk") else owner
        assert who.get(links[name]).status_code == 405, name
    for name in ("console_key_new", "console_key_revoke", "console_key_reveal", "checkout_pay", "checkout"):
        answer = strict.post(links[name], {"name": "x"}, headers={"Accept": "text/html"})
        assert answer.status_code == 403, name
        assert "expired" in answer.content.decode()


def test_pages_of_customers_are_kept_by_no_cache(story: Story) -> None:
    client = story.client(story.owner)
    for name, url in addresses(story).items():
        if name.startswith(("console", "checkout_")) and name not in POST_ONLY:
            assert "no-store" in client.get(url)["Cache-Control"], name
