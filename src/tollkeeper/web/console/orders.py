"""Orders of a customer: the list, one order with its timeline, its receipt for printing."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tollkeeper.flows import bank, gifts, unspent
from tollkeeper.flows.refund import CannotRefund
from tollkeeper.payments import buyers
from tollkeeper.payments import queries as payments
from tollkeeper.sales import queries as sales
from tollkeeper.sales import services as sales_verbs
from tollkeeper.usage.services import BadCode
from tollkeeper.web import stations
from tollkeeper.web.access import for_customer
from tollkeeper.web.throttle import allow

_PAGE = 25


@require_safe
@for_customer
def order_list(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET /console/orders/?page=: newest first."""
    text = request.GET.get("page", "1")
    page = int(text) if text.isdigit() and 0 < int(text) < 10_000 else 1
    orders = sales.list_orders(customer_id, _PAGE + 1, (page - 1) * _PAGE)
    return render(
        request,
        "console/orders.html",
        {
            "orders": orders[:_PAGE],
            "page": page,
            "more": len(orders) > _PAGE,
            "plans": sales.list_plans(customer_id),
        },
    )


@require_POST
@for_customer
def redeem(request: HttpRequest, customer_id: int) -> HttpResponse:
    """POST /console/redeem/: units for a code that somebody was given."""
    if not allow(request, "redeem", 10, 3600):
        return render(request, "429.html", status=429)
    try:
        gifts.redeem(customer_id, request.POST.get("code", "")[:60])
    except BadCode as bad:
        messages.error(request, _REFUSALS[bad.code])
    else:
        messages.success(request, _("The units are yours now."))
    return redirect("console_orders")


_REFUSALS = {
    "unknown": gettext_lazy("There is no such code."),
    "used": gettext_lazy("This code was used already."),
    "over": gettext_lazy("This code has ended."),
    "only_once": gettext_lazy("You have used a code of this kind already."),
}


@require_safe
@for_customer
def order_page(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """GET /console/orders/<number>/"""
    order = _mine(customer_id, number)
    station = stations.of(order)
    return render(
        request,
        "console/order.html",
        {
            "order": order,
            "station": station,
            "steps": stations.steps(order),
            "ways": stations.ways(order, station)
            if station.name in ("awaiting_payment", "delivered")
            else [],
            "transfer": bank.waiting(order),
            "transfer_offered": bank.offered(order),
            "documents": payments.list_documents(order.customer_id, order.number),
            "returnable_until": unspent.returnable_until(order),
            "returning": unspent.returning(order),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def give_back(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """GET asks, POST stops what the order gave and has its unused part paid back."""
    order = _mine(customer_id, number)
    until = unspent.returnable_until(order)
    if request.method == "POST":
        try:
            if until is None:
                raise CannotRefund("too_late")
            unspent.give_back(number, origin="customer")
        except CannotRefund:
            messages.warning(request, _("This order cannot be given back here (any more)."))
        return redirect("console_order", number)
    return render(request, "console/give_back.html", {"order": order, "until": until})


@require_safe
@for_customer
def receipt(request: HttpRequest, customer_id: int, number: str, label: str) -> HttpResponse:
    """GET /console/orders/<number>/documents/<label>/: a document as it was issued."""
    order = _mine(customer_id, number)
    document = next(
        (row for row in payments.list_documents(order.customer_id, order.number) if row.number == label), None
    )
    if document is None:
        raise Http404
    values = {
        "order": order,
        "document": document,
        "facts": document.facts,
        "buyer": buyers.buyer_of(document.document_id),
    }
    return render(request, "console/receipt.html", values)


def _mine(customer_id: int, number: str) -> sales.OrderView:
    try:
        return sales.get_order(customer_id, number)
    except sales_verbs.NoSuchOrder:
        raise Http404 from None
