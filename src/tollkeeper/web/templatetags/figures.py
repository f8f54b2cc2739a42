"""Template filters: numbers, money, units and times as people read them."""

from __future__ import annotations

import datetime as dt

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, gettext_lazy, ngettext

from tollkeeper.core import money
from tollkeeper.core.terms import MICRO
from tollkeeper.web import charts

register = template.Library()


@register.filter
def price(minor: int, currency: str) -> str:
    """Minor units of ``currency`` as an amount: ``2900|price:"USD"`` is ``$29.00``."""
    return money.show(minor, currency, get_language() or "en")


@register.filter
def round_price(minor: int, currency: str) -> str:
    """Like ``price``, but without zero cents: for price tags."""
    text = money.show(minor, currency, get_language() or "en")
    places = money.decimals(currency)
    if places and minor % 10**places == 0:
        for point in (".", ","):
            text = text.replace(point + "0" * places, "")
    return text


@register.filter
def units(micro: int) -> str:
    """Micro-units as units with grouping; up to six digits after the point, where there are any."""
    sign = "−" if micro < 0 else ""
    whole, rest = divmod(abs(micro), MICRO)
    text = f"{whole:,}"
    if rest:
        text += "." + f"{rest:06d}".rstrip("0")
    return sign + text


@register.filter
def short_units(micro: int) -> str:
    """Micro-units in short: ``12.3k``."""
    return charts.human(micro / MICRO)


@register.filter
def short(number: float) -> str:
    """A count in short: ``12.3k``."""
    return charts.human(number)


@register.filter
def grouped(number: int) -> str:
    """A count with thousands grouped."""
    return f"{number:,}"


@register.filter
def percent(share: float | None) -> str:
    """``0.968`` as ``96.8%``; an absent share as a dash. Never rounded up to 100 %."""
    if share is None:
        return "–"
    text = f"{int(share * 1000) / 10:.1f}"
    return f"{text.removesuffix('.0')}%"


@register.filter
def latency(us: int | None) -> str:
    """Microseconds as people read them: ``0.8 ms``, ``142 ms``, ``3.1 s``."""
    if us is None:
        return "–"
    if us < 10_000:
        return f"{us / 1000:.1f} ms"
    if us < 10_000_000:
        return f"{round(us / 1000):,} ms"
    return f"{us / 1_000_000:.1f} s"


@register.filter
def ago(moment: dt.datetime | None) -> str:
    """How long ago: ``3 s ago``, ``5 min ago``, then the date."""
    if moment is None:
        return gettext("never")
    seconds = int((timezone.now() - moment).total_seconds())
    if seconds < 5:
        return gettext("just now")
    if seconds < 60:
        return gettext("%d s ago") % seconds
    if seconds < 3600:
        return gettext("%d min ago") % (seconds // 60)
    if seconds < 86_400:
        return gettext("%d h ago") % (seconds // 3600)
    days = seconds // 86_400
    if days < 30:
        return ngettext("%d day ago", "%d days ago", days) % days
    return date_format(moment, "DATE_FORMAT")


@register.filter
def status_kind(status: int | None) -> str:
    """Colour of an HTTP status."""
    if not status:
        return ""
    return "ok" if status < 400 else "warn" if status < 500 else "crit"


_STATES = {
    "ok": {"active", "delivered", "succeeded", "paid", "done", "closed", "returned", "complete"},
    "warn": {"queued", "running", "processing", "redirected", "created", "open", "suspended", "ready",
             "past_due", "held", "partially_refunded", "received", "due"},
    "crit": {"failed", "dead", "revoked", "disputed", "refunded", "lapsed"},
}  # fmt: skip


@register.filter
def state_kind(state: str) -> str:
    """Colour of a state; unknown and resting states are grey."""
    return next((kind for kind, states in _STATES.items() if state in states), "")


_WORDS = {
    # keys, deliveries, grants
    "active": gettext_lazy("Active"),
    "suspended": gettext_lazy("Suspended"),
    "revoked": gettext_lazy("Revoked"),
    "expired": gettext_lazy("Expired"),
    "plan_over": gettext_lazy("its plan has ended"),
    "plan_stopped": gettext_lazy("its plan is stopped for now"),
    "live": gettext_lazy("In use"),
    "future": gettext_lazy("To come"),
    "spent": gettext_lazy("Spent"),
    "void": gettext_lazy("Taken back"),
    # orders and plans
    "awaiting_payment": gettext_lazy("Awaiting payment"),
    "processing": gettext_lazy("Payment under way"),
    "preparing": gettext_lazy("Being prepared"),
    "delivered": gettext_lazy("Delivered"),
    "in_review": gettext_lazy("In review"),
    "cancelled": gettext_lazy("Cancelled"),
    "refunded": gettext_lazy("Refunded"),
    "part_refunded": gettext_lazy("Partly refunded"),
    "disputed": gettext_lazy("Disputed"),
    "charged_back": gettext_lazy("Charged back"),
    "past_due": gettext_lazy("Payment missing"),
    "trialing": gettext_lazy("On trial"),
    "paused": gettext_lazy("Paused"),
    # transfers
    "recipient": gettext_lazy("Recipient"),
    "iban": gettext_lazy("IBAN"),
    "bic": gettext_lazy("BIC"),
    "amount": gettext_lazy("Amount"),
    "reference": gettext_lazy("Reference"),
    # who else is told of an erasure
    "plan": gettext_lazy("Your plan there"),
    "payer": gettext_lazy("What it knew of you as a payer"),
    "key": gettext_lazy("Your key there"),
    "contract": gettext_lazy("What it received"),
    "letter": gettext_lazy("What it received, to decide for itself"),
    # documents
    "receipt": gettext_lazy("Receipt"),
    "invoice": gettext_lazy("Invoice"),
    "credit_note": gettext_lazy("Credit note"),
    "debit_note": gettext_lazy("Debit note"),
    # breaches
    "seen": gettext_lazy("Seen by somebody who should not"),
    "gone": gettext_lazy("Data is gone"),
    "changed": gettext_lazy("Data was altered"),
    "unavailable": gettext_lazy("Nobody can get at the data"),
    "drill": gettext_lazy("A rehearsal"),
}
"""What customers read; words of the desk alone stand there as they are."""


@register.filter
def words(name: str) -> str:
    """A state's or a kind's name as words: ``past_due`` → ``Payment missing``, else capitalised."""
    if name in _WORDS:
        return str(_WORDS[name])
    text = name.replace("_", " ").replace("-", " ")
    return text[:1].upper() + text[1:]


_TROUBLES = {
    "no_answer": gettext_lazy("The relay does not answer"),
    "mismatch": gettext_lazy("It did not keep what was sold; stopped there"),
    "dead_key": gettext_lazy("The key that it made does not work"),
    "credential": gettext_lazy("It does not accept our credential"),
    "label_taken": gettext_lazy("A key of that name is there already, and is not ours"),
    "bad_request": gettext_lazy("It refused what we asked"),
    "egress": gettext_lazy("It is not among the recipients of the policy"),
    "no_target": gettext_lazy("The shop has no such relay any more"),
    "gave_up": gettext_lazy("Tried often enough"),
    "too_late": gettext_lazy("The plan's time was over"),
}


@register.filter
def trouble(error: str) -> str:
    """What held a hand-over up, for operators: ``mismatch: cap`` → a sentence, and what follows the colon."""
    word, colon, rest = error.partition(":")
    return f"{_TROUBLES[word]}{colon}{rest}" if word in _TROUBLES else error


_DISAGREEMENTS = {
    "unknown_payment": gettext_lazy("Money came there for no order of ours"),
    "unknown_refund": gettext_lazy("A refund went out there that we do not know"),
    "unknown_dispute": gettext_lazy("A dispute there that we do not know"),
    "missing_payment": gettext_lazy("We count a payment that it does not have"),
    "missing_refund": gettext_lazy("We count a refund that it does not have"),
    "amount": gettext_lazy("The amounts differ"),
    "deaf:no_endpoint": gettext_lazy("It has no webhook endpoint for this shop; add one for /hooks/stripe"),
    "deaf:disabled": gettext_lazy("Its webhook endpoint is disabled; enable it there"),
    "deaf:api_version": gettext_lazy("Its webhook endpoint speaks another API version than this program"),
}


@register.filter
def disagreement(what: str) -> str:
    """In what our books and a provider's do not agree, in a sentence."""
    if what.startswith("deaf:event:"):
        return gettext("Its webhook endpoint does not send %s") % what.removeprefix("deaf:event:")
    return str(_DISAGREEMENTS.get(what, what))


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: object) -> str:
    """The current query string with ``changes``; None or empty removes a name."""
    values = context["request"].GET.copy()
    for name, value in changes.items():
        if value in (None, ""):
            values.pop(name, None)
        else:
            values[name] = str(value)
    text = values.urlencode()
    return f"?{text}" if text else "?"


@register.filter
def at(mapping: dict[object, object], key: object) -> object:
    """The entry of a mapping, or an empty text."""
    return mapping.get(key, "")


@register.filter
def ms(value: float | None) -> str:
    """Milliseconds as people read them."""
    return latency(None if value is None else round(value * 1000))


@register.filter
def ring(balance: object, label: str) -> SafeString:
    """The gauge of a balance (``usage.queries.BalanceRow``), named ``label``."""
    used = balance.granted - balance.spendable - balance.held  # type: ignore[attr-defined]
    return charts.gauge(max(used, 0), balance.granted, label)  # type: ignore[attr-defined]


@register.filter
def share_bar(part: int, whole: int) -> SafeString:
    """A thin bar: ``part`` of ``whole``."""
    return charts.share_bar(part, whole)


_BROWSERS = {
    "Edg/": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "iPhone": "iOS",
    "iPad": "iPadOS",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


@register.filter
def browser(agent: object) -> str:
    """What a browser calls itself, in two words: ``Chrome, Linux``; else its first word."""
    text = str(agent or "")
    names = [next((table[mark] for mark in table if mark in text), "") for table in (_BROWSERS, _SYSTEMS)]
    known = ", ".join(name for name in names if name)
    return known or text.split("/")[0][:40] or gettext("unknown")
