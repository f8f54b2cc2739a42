"""From a chosen plan to the provider's page and back: the summary, the way out, the page of return.

What the page of return says comes from the order alone; it asks the provider once when it
is opened and then watches. Nothing here decides whether something was paid.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tollkeeper.accounts import services as accounts
from tollkeeper.catalog import queries as catalog
from tollkeeper.flows import purchase
from tollkeeper.sales import queries as sales
from tollkeeper.web import stations
from tollkeeper.web.access import for_customer
from tollkeeper.web.context import CHOSEN

_WATCHED = {"awaiting_payment", "processing", "preparing", "unknown"}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def checkout(request: HttpRequest, plan: str, price: str) -> HttpResponse:
    """GET shows what is bought, POST orders it and leaves for the provider's page.

    Somebody without an account is led through sign-up and back here.
    """
    try:
        offered = catalog.get_plan(plan, get_language())
        chosen = offered.price(price)
    except (catalog.NotOffered, KeyError):
        raise Http404 from None
    if not request.user.is_authenticated:
        request.session[CHOSEN] = [plan, price]
        return redirect_to_login(request.get_full_path(), reverse("account_signup"))
    request.session.pop(CHOSEN, None)
    refusal = ""
    if request.method == "POST":
        try:
            number = purchase.start_order(accounts.ensure_customer(request.user), plan, price)
        except purchase.CannotOrder as no:
            refusal = _refusal(no.code)
        else:
            return _pay(number)
    values = {"plan": offered, "price": chosen, "refusal": refusal}
    return render(request, "checkout/summary.html", values, status=409 if refusal else 200)


def _refusal(code: str) -> str:
    return {
        "already_subscribed": _("You have this plan already."),
        "only_once": _("This plan can be had once, and you have had it."),
        "not_sold": _("This plan is not sold at the moment."),
    }.get(code, _("This order cannot be made."))


def _pay(number: str) -> HttpResponse:
    """To the provider's page; to our own, which explains, if the provider does not answer."""
    try:
        return redirect(purchase.begin_payment(number))
    except purchase.NoAnswer:
        return redirect("checkout_return", number)


@require_POST
@for_customer
def pay_again(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """POST /checkout/orders/<number>/pay/"""
    _mine(customer_id, number)
    return _pay(number)


@require_safe
@for_customer
def checkout_return(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """GET /checkout/orders/<number>/: where the provider sends people back to."""
    order = _mine(customer_id, number)
    unknown = False
    if order.status in ("awaiting_payment", "processing"):
        unknown = not purchase.ask(order.order_id)
        order = _mine(customer_id, number)
    return render(request, "checkout/progress.html", _values(order, unknown=unknown, round_=0))


@require_safe
@for_customer
def checkout_state(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """GET /checkout/orders/<number>/state/: the box of the page above, as it is now."""
    text = request.GET.get("round", "0")
    round_ = int(text) + 1 if text.isdigit() and len(text) < 6 else 0
    return render(request, "checkout/station.html", _values(_mine(customer_id, number), unknown=False, round_=round_))


def _mine(customer_id: int, number: str) -> sales.OrderView:
    try:
        return sales.get_order(customer_id, number)
    except sales.NoSuchOrder:
        raise Http404 from None


def _values(order: sales.OrderView, *, unknown: bool, round_: int) -> dict[str, object]:
    station = stations.of(order, unknown=unknown)
    watched = station.name in _WATCHED and round_ < 400
    return {
        "number": order.number,
        "order": order,
        "station": station,
        "steps": stations.steps(order),
        "actions": stations.actions(order, station),
        "round": round_,
        "refresh_s": (1 if round_ < 20 else 5) if watched else 0,
    }
