"""GET /desk/orders/: the orders of everybody, by pseudonym."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tollkeeper.delivery import queries as delivery
from tollkeeper.flows import purchase
from tollkeeper.payments import queries as payments
from tollkeeper.payments.providers import ProviderError
from tollkeeper.sales import queries as sales
from tollkeeper.web import stations
from tollkeeper.web.access import for_staff


@require_safe
@for_staff
def order_list(request: HttpRequest) -> HttpResponse:
    """``?held=1`` shows only those that wait for a person; ``?number=`` finds one."""
    number = request.GET.get("number", "").strip().upper()
    if number:
        found = sales.find_order(number)
        if found is not None:
            return redirect("desk_order", found.number)
    held = request.GET.get("held") == "1"
    orders = sales.recent_orders(100, review_only=held)
    return render(request, "desk/orders.html", {"orders": orders, "held": held, "number": number})


@require_safe
@for_staff
def order_page(request: HttpRequest, number: str) -> HttpResponse:
    """GET /desk/orders/<number>/"""
    order = _order(number)
    return render(
        request,
        "desk/order.html",
        {
            "order": order,
            "steps": stations.steps(order),
            "attempts": payments.list_attempts(order.order_id),
            "documents": payments.list_documents(order.customer_id, order.number),
            "deliveries": [row for line in order.lines if (row := delivery.find_delivery(line.line_id))],
        },
    )


@require_POST
@for_staff
def order_ask(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/orders/<number>/ask/: ask the provider how the order stands, now."""
    order = _order(number)
    try:
        purchase.reconcile(order.order_id)
    except ProviderError:
        messages.warning(request, _("The provider did not answer. The sweeper goes on asking."))
    else:
        messages.success(request, _("The provider has answered; the order is up to date."))
    return redirect("desk_order", number)


def _order(number: str) -> sales.OrderView:
    order = sales.find_order(number)
    if order is None:
        raise Http404
    return order
