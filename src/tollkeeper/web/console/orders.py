"""Orders of a customer: the list, one order with its timeline, its receipt for printing."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tollkeeper.delivery import queries as delivery
from tollkeeper.flows import bank
from tollkeeper.payments import queries as payments
from tollkeeper.sales import queries as sales
from tollkeeper.sales import services as sales_verbs
from tollkeeper.web import stations
from tollkeeper.web.access import for_customer

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
            "deliveries": [row for line in order.lines if (row := delivery.find_delivery(line.line_id))],
        },
    )


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
    return render(
        request, "console/receipt.html", {"order": order, "document": document, "facts": document.facts}
    )


def _mine(customer_id: int, number: str) -> sales.OrderView:
    try:
        return sales.get_order(customer_id, number)
    except sales_verbs.NoSuchOrder:
        raise Http404 from None
