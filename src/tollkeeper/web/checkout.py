"""From a chosen plan to the provider's page and back: the summary, the way out, the page of return.

What the page of return says comes from the order alone; it asks the provider once when it
is opened and then watches. Nothing here decides whether something was paid.
"""

from __future__ import annotations

import logging
from typing import Any

from django.contrib import messages
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
from tollkeeper.flows import bank, purchase
from tollkeeper.flows.reconcile import reconcile
from tollkeeper.payments.providers import ProviderError
from tollkeeper.sales import queries as sales
from tollkeeper.sales import services as sales_verbs
from tollkeeper.web import stations
from tollkeeper.web.access import for_customer, led_to_rights
from tollkeeper.web.context import CHOSEN

log = logging.getLogger("tollkeeper.checkout")

_WATCHED = {"awaiting_payment", "processing", "preparing", "unknown"}
_QUICK_ROUNDS, _MOST_ROUNDS = 20, 400


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
    if (elsewhere := led_to_rights(request)) is not None:
        return elsewhere
    customer_id = accounts.ensure_customer(request.user)
    wanted = _wanted(request)
    refusal, quote = "", None
    try:
        quote = purchase.quote(customer_id, plan, price, **wanted)
        if request.method == "POST":
            number = purchase.start_order(customer_id, plan, price, language=get_language() or "en", **wanted)
            return _pay(request, number)
    except sales_verbs.CannotOrder as no:
        refusal = _refusal(no.code)
    quote = quote or purchase.quote(customer_id, plan, price)
    values = {"plan": offered, "price": chosen, "refusal": refusal, "quote": quote, "wanted": wanted}
    return render(
        request, "checkout/summary.html", values, status=409 if refusal and request.method == "POST" else 200
    )


def _wanted(request: HttpRequest) -> dict[str, Any]:
    """How many pieces, and with which coupon: from the form, or from the address."""
    given = request.POST if request.method == "POST" else request.GET
    text = given.get("quantity", "1").strip()
    quantity = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
    return {"quantity": quantity, "coupon": given.get("coupon", "")[:40].strip()}


def _refusal(code: str) -> str:
    return {
        "already_subscribed": _("You have this plan already."),
        "only_once": _("This plan can be had once, and you have had it."),
        "not_sold": _("This plan is not sold at the moment."),
        "quantity": _("So many cannot be ordered at once."),
        "coupon_unknown": _("There is no such coupon."),
        "coupon_over": _("This coupon has ended."),
        "coupon_not_here": _("This coupon is not for what you are buying."),
        "coupon_after_trial": _("This plan begins with a free trial; a coupon cannot be added to it."),
        "coupon_used": _("You have used this coupon already."),
    }.get(code, _("This order cannot be made."))


def _pay(request: HttpRequest, number: str) -> HttpResponse:
    """To the provider's page; to our own, which explains, if there is no such page now."""
    try:
        return redirect(purchase.begin_payment(number))
    except purchase.CannotPay as no:
        if no.code == "no_answer":
            messages.warning(
                request, _("The payment provider does not answer. Nothing was charged; please try again.")
            )
        elif no.code == "not_sold":
            messages.error(request, _("This plan is not sold at the moment."))
        elif no.code == "refused":
            messages.error(request, _("The payment provider refuses this payment. Nothing was charged."))
        return redirect("checkout_return", number)


@require_POST
@for_customer
def pay_again(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """POST /checkout/<number>/pay"""
    _mine(customer_id, number)
    return _pay(request, number)


@require_POST
@for_customer
def pay_by_transfer(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """POST /checkout/<number>/transfer: an invoice, and where to send the money."""
    order = _mine(customer_id, number)
    if bank.offered(order):
        try:
            bank.pay_by_transfer(number)
        except (purchase.CannotPay, ProviderError):
            messages.warning(request, _("That did not work just now. Nothing was charged; please try again."))
            return redirect("checkout_return", number)
    return redirect("console_order", number)


@require_POST
@for_customer
def cancel(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """POST /checkout/<number>/cancel: the customer wants it no more."""
    _mine(customer_id, number)
    try:
        ended = purchase.cancel_order(customer_id, number)
    except ProviderError:
        messages.warning(request, _("The payment provider does not answer. Please try again in a moment."))
        return redirect("checkout_return", number)
    if ended:
        messages.success(request, _("The order is cancelled. Nothing was charged."))
    return redirect("plans" if ended else "checkout_return", *([] if ended else [number]))


@require_safe
@for_customer
def checkout_return(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """GET /checkout/<number>/return: where the provider sends people back to."""
    order = _mine(customer_id, number)
    unknown = False
    if order.status in ("awaiting_payment", "processing"):
        try:
            order = reconcile(order.order_id)
        except ProviderError as error:
            log.warning("no answer about an order: %s", error)
            unknown = True
    return render(request, "checkout/progress.html", _values(order, unknown=unknown, left=False, round_=0))


@require_safe
@for_customer
def checkout_cancelled(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """GET /checkout/<number>/cancelled: the provider's "back" link; nothing is decided by it."""
    return render(
        request,
        "checkout/progress.html",
        _values(_mine(customer_id, number), unknown=False, left=True, round_=0),
    )


@require_safe
@for_customer
def checkout_state(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """GET /checkout/<number>/state: the box of the page of return, as it is now."""
    text = request.GET.get("round", "0")
    round_ = int(text) + 1 if text.isdigit() and len(text) < 6 else 0
    values = _values(_mine(customer_id, number), unknown=False, left=False, round_=round_)
    return render(request, "checkout/station.html", values)


def _mine(customer_id: int, number: str) -> sales.OrderView:
    try:
        return sales.get_order(customer_id, number)
    except sales_verbs.NoSuchOrder:
        raise Http404 from None


def _values(order: sales.OrderView, *, unknown: bool, left: bool, round_: int) -> dict[str, object]:
    station = stations.of(order, unknown=unknown, left=left)
    watched = station.name in _WATCHED and round_ < _MOST_ROUNDS
    return {
        "number": order.number,
        "order": order,
        "station": station,
        "steps": stations.steps(order),
        "ways": stations.ways(order, station),
        "transfer": bank.offered(order),
        "round": round_,
        "refresh_s": (1 if round_ < _QUICK_ROUNDS else 5) if watched else 0,
    }
