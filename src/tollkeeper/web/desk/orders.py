"""GET /desk/orders/: the orders of everybody, by pseudonym."""

from __future__ import annotations

import uuid

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from tollkeeper.core import money
from tollkeeper.core.refusal import Refused
from tollkeeper.delivery import queries as delivery
from tollkeeper.flows import bank, fraud, refund, unspent
from tollkeeper.flows.reconcile import UNPASSABLE, clear_review, reconcile
from tollkeeper.payments import queries as payments
from tollkeeper.payments.providers import ProviderError
from tollkeeper.payments.refunds import CannotRefund
from tollkeeper.sales import queries as sales
from tollkeeper.web import stations
from tollkeeper.web.access import for_staff
from tollkeeper.web.desk.money import TransferForm


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
            "refunds": payments.list_refunds(order.order_id),
            "disputes": payments.list_disputes(order.order_id),
            "refund_form": RefundForm(),
            "can_return": unspent.can_return(order),
            "returning": unspent.returning(order),
            "transfer_form": TransferForm(auto_id="transfer_%s") if bank.waiting(order) else None,
            "came": bank.part_of(order),
            "strays": refund.strays(order.order_id),
            "warned": payments.is_warned(order.order_id) and order.captured_minor > order.refunded_minor,
            "passable": order.review not in UNPASSABLE,
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
        reconcile(order.order_id)
    except ProviderError:
        messages.warning(request, _("The provider did not answer. The sweeper goes on asking."))
    else:
        messages.success(request, _("The provider has answered; the order is up to date."))
    return redirect("desk_order", number)


class RefundForm(forms.Form):
    """How much goes back; nothing stands for all that is left."""

    amount = forms.CharField(
        label=gettext_lazy("Amount"),
        required=False,
        max_length=20,
        help_text=gettext_lazy("Empty: all that is left."),
    )
    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"),
        required=False,
        choices=[
            ("requested", gettext_lazy("The customer asks for it")),
            ("goodwill", gettext_lazy("Goodwill")),
            ("outage", gettext_lazy("It did not work")),
            ("mistake", gettext_lazy("Our mistake")),
            ("fraud", gettext_lazy("Fraud")),
        ],
    )
    revokes = forms.BooleanField(label=gettext_lazy("Take the rights back too"), required=False)


@require_POST
@for_staff
def order_refund(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/orders/<number>/refund/: give money back."""
    order = _order(number)
    form = RefundForm(request.POST)
    form.is_valid()
    text = form.cleaned_data.get("amount", "")
    try:
        amount = money.parse(text, order.currency) if text else None
        refund.request_refund(
            number,
            amount,
            reason=form.cleaned_data.get("reason") or "requested",
            revokes=form.cleaned_data.get("revokes", False),
            actor=request.user.pk,
        )
    except money.BadAmount as wrong:
        messages.error(request, str(wrong))
    except CannotRefund as no:
        _tell_why_not(request, no)
    else:
        messages.success(request, _("The refund is on its way."))
    return redirect("desk_order", number)


@require_POST
@for_staff
def order_trust(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/orders/<number>/trust/: the bank warns of fraud, and the operator knows better."""
    order = _order(number)
    if fraud.trust(order.number, actor=request.user.pk):
        messages.success(request, _("The money is kept. A dispute may still come."))
    return redirect("desk_order", number)


@require_POST
@for_staff
def order_strays(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/orders/<number>/strays/: money that cannot pay the order goes back as it came."""
    order = _order(number)
    try:
        refund.return_strays(order.number, actor=request.user.pk)
    except CannotRefund as no:
        _tell_why_not(request, no)
    else:
        messages.success(request, _("The refund is on its way."))
    return redirect("desk_order", number)


@require_POST
@for_staff
def refund_otherwise(request: HttpRequest, number: str, refund_id: uuid.UUID) -> HttpResponse:
    """POST /desk/orders/<number>/refunds/<id>/: one that failed went back in another way."""
    order = _order(number)
    if refund_id not in {row.refund_id for row in payments.list_refunds(order.order_id)}:
        raise Http404
    try:
        refund.sent_otherwise(str(refund_id), actor=request.user.pk)
    except CannotRefund as no:
        _tell_why_not(request, no)
    except ProviderError:
        messages.warning(request, _("The provider did not answer. The sweeper goes on asking."))
    else:
        messages.success(request, _("Noted: the money went back."))
    return redirect("desk_order", number)


@require_POST
@for_staff
def order_unspent(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/orders/<number>/unspent/: stop what the order gave, count it, pay the rest back."""
    order = _order(number)
    try:
        unspent.give_back(order.number, origin="operator")
    except CannotRefund as no:
        _tell_why_not(request, no)
    else:
        messages.success(request, _("It is stopped. What is not used goes back as soon as it is counted."))
    return redirect("desk_order", number)


def _tell_why_not(request: HttpRequest, no: CannotRefund) -> None:
    messages.error(request, _REFUSALS.get(no.code, _("This cannot be refunded.")))


_REFUSALS = {
    "disputed": gettext_lazy("The bank has the money already: a disputed payment is not refunded."),
    "not_paid": gettext_lazy("Nothing was paid."),
    "nothing_left": gettext_lazy("Everything went back already."),
    "too_much": gettext_lazy("That is more than is left."),
}


@require_POST
@for_staff
def order_clear(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/orders/<number>/clear/: a person has looked, and the order goes on."""
    order = _order(number)
    try:
        clear_review(order.order_id, actor=request.user.pk)
    except Refused as no:
        messages.error(request, str(no))
    except ProviderError:
        messages.warning(request, _("The provider did not answer. The sweeper goes on asking."))
    else:
        messages.success(request, _("The order goes on."))
    return redirect("desk_order", number)


def _order(number: str) -> sales.OrderView:
    order = sales.find_order(number)
    if order is None:
        raise Http404
    return order
