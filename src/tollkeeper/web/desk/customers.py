"""GET /desk/customers/: who buys, by number. Names and addresses are not shown here."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from tollkeeper.accounts import queries as accounts
from tollkeeper.delivery import queries as delivery
from tollkeeper.kit import audit
from tollkeeper.privacy import restrictions
from tollkeeper.sales import queries as sales
from tollkeeper.usage import queries as usage
from tollkeeper.web.access import for_staff

CLAIMS = {
    "claim": gettext_lazy("A legal claim of ours or theirs"),
    "consent": gettext_lazy("The person asked me to look"),
    "rights": gettext_lazy("The rights of another person"),
}
"""Why somebody may look at data that is only stored (Art. 18(2))."""


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
    person = accounts.find_person(public_id)
    restricted = restrictions.find(person) if person is not None else None
    claim = request.GET.get("claim", "")
    if restricted is not None and claim not in CLAIMS:
        values = {"customer": customer, "restricted": restricted, "claims": CLAIMS}
        return render(request, "desk/customer_restricted.html", values)
    if restricted is not None:
        audit.record("restricted.read", actor=audit.person(request.user.pk), subject=person, note=claim)
    return render(
        request,
        "desk/customer.html",
        {
            "customer": customer,
            "restricted": restricted,
            "plans": sales.list_plans(customer.id),
            "orders": sales.list_orders(customer.id, 50),
            "keys": delivery.list_keys(customer.id),
            "balances": usage.balances(customer.id),
            "grants": usage.grants(customer.id),
            "totals": usage.totals(customer.id),
        },
    )
