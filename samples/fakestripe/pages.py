"""The hosted pages: plain HTML, no script, light and dark, one style sheet of our own."""

from __future__ import annotations

from html import escape
from typing import Any

from samples.fakestripe.store import Row
from tollkeeper.core.money import show

TEST_CARDS = (
    ("4242 4242 4242 4242", "is paid"),
    ("4000 0000 0000 0002", "is declined"),
    ("4000 0000 0000 9995", "has insufficient funds"),
    ("4000 0025 0000 3155", "asks for a second step (3-D Secure)"),
    ("4000 0000 0000 0259", "is paid, then disputed by the bank"),
    ("4000 0000 0000 0341", "can be stored, is declined when charged"),
    ("4000 0027 6000 3184", "asks for a second step each time"),
    ("4000 0000 0000 5423", "is paid, then called fraud by its bank"),
    ("4000 0000 0000 7726", "is paid; refunds take a while"),
    ("4000 0000 0000 5126", "is paid; refunds fail"),
)
DECLINES = {
    "generic_decline": "Your card was declined. Try another one.",
    "insufficient_funds": "Your card has insufficient funds. Try another one.",
    "expired_card": "Your card has expired. Try another one.",
    "not_a_test_card": "This is a stand-in: only the test numbers below are taken, never a real card.",
    "bad_date": "The expiry date is in the past.",
    "not_authenticated": "The second step failed, and nothing was charged. Try again.",
}
PERIODS = {"month": "per month", "year": "per year"}


def page(title: str, body: str) -> str:
    """A whole document."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="/static/checkout.css"></head><body>'
        '<div class="ribbon" role="note">Test page of a stand-in for Stripe. No money moves.</div>'
        f"{body}</body></html>"
    )


def _amount(minor: int, currency: str) -> str:
    return escape(show(minor, currency.upper()))


def _what(session: Row, trial_days: int = 0) -> str:
    lines = session["line_items"]["data"]
    full = sum(line["amount_total"] for line in lines)
    recurring = lines[0]["price"]["recurring"]
    each = f" <small>{PERIODS[recurring['interval']]}</small>" if recurring else ""
    rows = "".join(
        f"<div><dt>{escape(line['description'])}<small>Quantity {line['quantity']}</small></dt>"
        f"<dd>{_amount(line['amount_total'], session['currency'])}</dd></div>"
        for line in lines
    )
    total = _amount(session["amount_total"], session["currency"])
    off = (
        f"<div><dt>Free trial<small>{trial_days} days, then as above</small></dt>"
        f"<dd>−{_amount(full, session['currency'])}</dd></div>"
    )
    trial = off if trial_days else ""
    less = full - session["amount_total"]
    if less and not trial_days:
        trial = f"<div><dt>Coupon</dt><dd>−{_amount(less, session['currency'])}</dd></div>"
    back = escape(session["cancel_url"] or "", quote=True)
    return (
        '<section class="what" aria-label="Your order">'
        f'<a href="{back}" rel="nofollow">← Back to the shop</a>'
        f'<div><h1>{"Subscribe" if recurring else "Pay"}</h1><p class="sum">{total}{each}</p></div>'
        f'<dl class="lines">{rows}{trial}<div class="total"><dt>Due today</dt><dd>{total}</dd></div></dl>'
        f"<footer>Order {escape(session['client_reference_id'] or '')}</footer></section>"
    )


def checkout(session: Row, problem: str = "", token: str = "", trial_days: int = 0) -> str:
    """The page where a session is paid, or a trial begun."""
    bad = f'<p class="bad" role="alert">{escape(DECLINES.get(problem, problem))}</p>' if problem else ""
    cards = "".join(f"<tr><td>{number}</td><td>{text}</td></tr>" for number, text in TEST_CARDS)
    pay = _amount(session["amount_total"], session["currency"])
    optional = session["payment_method_collection"] == "if_required" and session["amount_total"] == 0
    button = "Start trial" if trial_days else f"Pay {pay}"
    method = """
<fieldset><legend>Payment method</legend>
<label class="pick"><input type="radio" name="method" value="card" checked> Card</label>
<label class="pick"><input type="radio" name="method" value="debit"> Bank debit</label></fieldset>
<label>Card number
<input type="text" name="number" inputmode="numeric" maxlength="23" pattern="[0-9 ]*"
value="4242 4242 4242 4242">
</label>
<div class="pair"><label>Expiry
<input type="text" name="expiry" inputmode="numeric" value="12 / 34" maxlength="7"></label>
<label>Security code
<input type="text" name="code" inputmode="numeric" value="123" maxlength="4"></label></div>"""
    hint = (
        "No payment method is needed today."
        if optional
        else "Nothing is charged before the trial ends."
        if trial_days
        else "Bank debits are confirmed some seconds later."
    )
    form = f"""
<form method="post" action="/c/pay/{session["id"]}" autocomplete="off">
<input type="hidden" name="token" value="{escape(token, quote=True)}">
{"" if optional else method}
<button type="submit" name="pay" value="1">{button}</button>
<p class="hint">{hint}</p>
</form>"""
    return page(
        "Checkout",
        f'<main class="sheet">{_what(session, trial_days)}'
        f'<section class="how" aria-label="Payment"><h2>Payment</h2>{bad}{form}'
        f"<details><summary>Test cards</summary><table>{cards}</table></details></section></main>",
    )


def second_step(session: Row, token: str) -> str:
    """The page of the payer's bank."""
    pay = _amount(session["amount_total"], session["currency"])
    return page(
        "Confirm the payment",
        f'<main class="note"><h2>Your bank asks: is it you?</h2><p>Confirm the payment of {pay}.</p>'
        f'<form method="post" action="/c/pay/{session["id"]}/second-step">'
        f'<input type="hidden" name="token" value="{escape(token, quote=True)}">'
        '<button type="submit" name="answer" value="yes">Complete</button>'
        '<button type="submit" name="answer" value="no" class="quiet">Fail</button></form></main>',
    )


def bill(row: Row, problem: str = "", token: str = "") -> str:
    """The page where an invoice is paid by hand."""
    bad = f'<p class="bad" role="alert">{escape(DECLINES.get(problem, problem))}</p>' if problem else ""
    lines = "".join(f"<p>{escape(line['description'] or '')}</p>" for line in row["lines"]["data"])
    due = _amount(row["amount_due"], row["currency"])
    return page(
        "Invoice",
        f'<main class="note"><h2>Invoice</h2>{lines}{bad}'
        f'<form method="post" action="/i/{row["id"]}" autocomplete="off">'
        f'<input type="hidden" name="token" value="{escape(token, quote=True)}">'
        '<label>Card number <input type="text" name="number" inputmode="numeric" maxlength="23" '
        'value="4242 4242 4242 4242"></label>'
        f'<button type="submit" name="pay" value="1">Pay {due}</button>'
        "</form></main>",
    )


def over(session: Row | None) -> str:
    """A session that cannot be paid (any more)."""
    words = {
        "complete": ("This has been paid.", "You can close this page."),
        "expired": ("This page has expired.", "Go back to the shop and begin again; nothing was charged."),
    }
    title, text = words.get(
        (session or {}).get("status", ""), ("There is nothing here.", "Check the address.")
    )
    target = (session or {}).get("cancel_url") or ""
    back = f'<p><a href="{escape(target, quote=True)}">Back to the shop</a></p>' if target else ""
    return page(title, f'<main class="note"><h2>{title}</h2><p>{text}</p>{back}</main>')


def portal(row: Row, subs: list[Row], token: str) -> str:
    """What a customer may change: the card, and whether the plan goes on."""
    back = escape(row["return_url"] or "", quote=True)
    rows = "".join(_subscription(row["id"], sub, token) for sub in subs)
    return page(
        "Your plan",
        f'<main class="note"><a href="{back}">← Back to the shop</a><h2>Your plan</h2>'
        f"{rows or '<p>There is no plan.</p>'}</main>",
    )


def _subscription(portal_id: str, sub: Row, token: str) -> str:
    price: dict[str, Any] = sub["items"]["data"][0]["price"]
    amount = f"{_amount(price['unit_amount'], sub['currency'])} {PERIODS[price['recurring']['interval']]}"
    hidden = (
        f'<input type="hidden" name="token" value="{escape(token, quote=True)}">'
        f'<input type="hidden" name="subscription" value="{sub["id"]}">'
    )
    stop = (
        '<button name="act" value="resume">Keep the plan</button>'
        if sub["cancel_at_period_end"]
        else '<button name="act" value="cancel" class="quiet">Cancel at the end of the period</button>'
    )
    cards = "".join(
        f'<button name="act" value="{value}" class="quiet">{text}</button>'
        for value, text in (("card_good", "Use a good card"), ("card_bad", "Use a card that is declined"))
    )
    return (
        f'<div class="row"><div><strong>{amount}</strong><p class="hint">{escape(sub["status"])}</p></div>'
        f'<form method="post" action="/p/session/{portal_id}">{hidden}{stop}{cards}</form></div>'
    )
