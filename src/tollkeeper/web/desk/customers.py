"""GET /desk/customers/: who buys, by number. Names and addresses are not shown here."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from tollkeeper.accounts import queries as accounts
from tollkeeper.delivery import queries as delivery
from tollkeeper.sales import queries as sales
from tollkeeper.usage import queries as usage
from tollkeeper.web.access import for_staff


@require_safe
@for_staff
def customer_list(request: HttpRequest) -> HttpResponse:
    """The newest; ``?number=`` finds one."""
    number = request.GET.get("number", "").strip()
    if number and accounts.find_customer(number) is not None:
        return redirect("desk_customer", number)
    return render(
        request, "desk/customers.html", {"customers": accounts.recent_customers(), "number": number}
    )


@require_safe
@for_staff
def customer_page(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET /desk/customers/<number>/: what they have, by number."""
    customer = accounts.find_customer(public_id)
    if customer is None:
        raise Http404
    return render(
        request,
        "desk/customer.html",
        {
            "customer": customer,
            "plans": sales.list_plans(customer.id),
            "orders": sales.list_orders(customer.id, 50),
            "keys": delivery.list_keys(customer.id),
            "balances": usage.balances(customer.id),
            "grants": usage.grants(customer.id),
            "totals": usage.totals(customer.id),
        },
    )
