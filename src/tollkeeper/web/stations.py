"""What people are told about an order: one station for each status, with what can be done there."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tollkeeper.delivery import queries as delivery
from tollkeeper.flows import progress
from tollkeeper.sales.queries import OrderView


@dataclass(frozen=True, slots=True)
class Station:
    """Where a purchase stands. ``busy`` shows a spinner in place of the icon."""

    name: str
    title: str | Promise
    text: str | Promise
    icon: str
    mood: str
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A point of the timeline: ``state`` is done, now, todo or bad."""

    label: str | Promise
    state: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """A button below: a link, or a form if ``post``."""

    label: str | Promise
    url: str
    kind: str = ""
    post: bool = False


def of(order: OrderView, *, unknown: bool = False, left: bool = False) -> Station:
    """The station of an order.

    ``unknown``: the provider was asked and did not answer; ``left``: the person has just
    come back from its page without paying.
    """
    name = order.status
    if unknown:
        name = "unknown"
    elif left and name == "awaiting_payment":
        name = "left"
    elif name == "preparing":
        return _preparing(progress.of(order))
    return _STATIONS.get(name, Station(name, _("Order"), _("This order is being looked at."), "info", "warn"))


def _preparing(now: progress.Progress) -> Station:
    if not now.reason:
        return _STATIONS["preparing"]
    said = [str(_WHY[now.reason])]
    if now.next_at is not None and now.reason != "failed":
        said.append(gettext("We try again by ourselves at %s UTC.") % date_format(now.next_at, "H:i:s"))
    if now.back_at is not None:
        said.append(
            gettext("If it is not there by %s UTC, the whole amount goes back the way it came.")
            % date_format(now.back_at, gettext("M j, H:i"))
        )
    title = _("Paid. This takes longer than usual")
    return Station("preparing", title, " ".join(said), "hourglass", "warn", busy=now.reason != "failed")


_WHY = {
    "silent": _("The place where your key is made does not answer at the moment."),
    "not_kept": _(
        "What was made there is not what you bought, so it was stopped and is not handed over. "
        "A person has been told."
    ),
    "stuck": _("Your key cannot be made at the moment. A person has been told."),
    "failed": _("Your key could not be made. A person has been told."),
}

_STATIONS = {
    station.name: station
    for station in (
        Station(
            "unknown",
            _("We do not know yet"),
            _(
                "The payment provider has not answered. Nothing is lost: we go on asking, and you are "
                "never charged twice for one order. You may close this page."
            ),
            "circle-question-mark",
            "warn",
            busy=True,
        ),
        Station(
            "left",
            _("Not paid yet"),
            _("You left the payment page. Nothing was charged, and the order is kept for a while."),
            "undo-2",
            "",
        ),
        Station(
            "awaiting_payment",
            _("Waiting for your payment"),
            _("No payment has arrived yet. If you have just paid, this page changes by itself in a moment."),
            "hourglass",
            "accent",
            busy=True,
        ),
        Station(
            "processing",
            _("Your bank is working on it"),
            _(
                "The payment is under way. With some ways of paying this takes days; "
                "we write to you when it is there."
            ),
            "landmark",
            "accent",
            busy=True,
        ),
        Station(
            "preparing",
            _("Paid. Preparing your access"),
            _("This takes a few seconds."),
            "loader",
            "accent",
            busy=True,
        ),
        Station(
            "delivered",
            _("All set"),
            _("Your plan is active. You can call the API now."),
            "circle-check",
            "ok",
        ),
        Station(
            "in_review",
            _("A person is looking at this"),
            _(
                "What was paid does not match the order. We check it by hand and write to you; "
                "you need do nothing."
            ),
            "scan-search",
            "warn",
        ),
        Station(
            "expired",
            _("This order has expired"),
            _("No payment came in time. Nothing was charged."),
            "clock-alert",
            "warn",
        ),
        Station("cancelled", _("This order was cancelled"), _("Nothing was charged."), "circle-x", ""),
        Station("refunded", _("Refunded"), _("The whole amount went back the way it came."), "undo-2", ""),
        Station(
            "part_refunded",
            _("Partly refunded"),
            _("A part of the amount went back the way it came."),
            "undo-2",
            "",
        ),
        Station(
            "disputed",
            _("Disputed"),
            _("Your bank has asked for the money back. Until that is settled this order rests."),
            "scale",
            "warn",
        ),
        Station(
            "charged_back",
            _("Charged back"),
            _("Your bank has taken the money back. What was bought has ended."),
            "scale",
            "crit",
        ),
    )
}


def steps(order: OrderView) -> list[Step]:
    """Ordered, paid, prepared, delivered: with times as far as they are known."""
    stamp = gettext("M j, H:i")
    ended = order.status in ("expired", "cancelled")
    paid = order.paid_at is not None or order.money in ("paid", "overpaid") or order.total_minor == 0
    delivered = max((line.delivered_at for line in order.lines if line.delivered_at), default=None)
    done = order.status == "delivered"
    on_its_way = paid and not ended
    way = progress.of(order) if on_its_way else None
    return [
        Step(_("Ordered"), "done", f"{date_format(order.created_at, stamp)} UTC"),
        Step(
            _("Paid"),
            "done" if paid else "bad" if ended else "now",
            f"{date_format(order.paid_at, stamp)} UTC" if order.paid_at else "",
        ),
        Step(
            _("Access prepared"),
            "done" if done else "now" if on_its_way else "todo",
            _prepared(way, done=done) if way is not None else "",
        ),
        Step(
            _("Delivered"),
            "done" if done else "todo",
            f"{date_format(delivered, stamp)} UTC" if delivered else "",
        ),
    ]


def _prepared(way: progress.Progress, *, done: bool) -> str:
    stamp = gettext("M j, H:i")
    if done:
        return f"{date_format(way.prepared_at, stamp)} UTC" if way.prepared_at else ""
    return gettext("since %s UTC") % date_format(way.began_at, stamp) if way.began_at else ""


def ways(order: OrderView, station: Station) -> list[Way]:
    """What can be done at this station, the main thing first."""
    page = Way(_("Order and receipt"), reverse("console_order", args=[order.number]), "plain")
    if station.name == "delivered":
        waiting = delivery.find_unrevealed(order.customer_id)
        if waiting is not None:
            return [Way(_("Show my key"), reverse("console_key_reveal", args=[waiting.id])), page]
        return [Way(_("To the console"), reverse("console")), page]
    if station.name in ("awaiting_payment", "left", "unknown"):
        return [
            Way(_("To the payment page"), reverse("checkout_pay", args=[order.number]), "", post=True),
            Way(_("Cancel the order"), reverse("checkout_cancel", args=[order.number]), "plain", post=True),
        ]
    if station.name in ("expired", "cancelled"):
        return [Way(_("Order again"), reverse("plans"))]
    return [Way(_("To the console"), reverse("console"), "plain")]
