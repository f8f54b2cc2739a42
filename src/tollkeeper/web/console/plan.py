"""A customer's plan: how it stands, another one, its end, and how it is paid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tollkeeper.catalog import queries as catalog
from tollkeeper.core import money
from tollkeeper.core.terms import PlanTerms, PriceTerms
from tollkeeper.flows import overage, plan_change, purchase, renewal, resuming, selling, taxes
from tollkeeper.payments.providers import ProviderError
from tollkeeper.sales import queries as sales
from tollkeeper.sales import records
from tollkeeper.sales.changes import CannotChange, begins_at_once
from tollkeeper.sales.plans import NoSuchPlan
from tollkeeper.sales.queries import PlanView
from tollkeeper.web.access import for_customer
from tollkeeper.web.console import stopped


@dataclass(frozen=True, slots=True)
class Choice:
    """A plan that this one could become, with what it costs each ``period``, tax included."""

    plan: PlanTerms
    price: PriceTerms
    period: str
    amount_minor: int
    at_once: bool


class CapForm(forms.Form):
    """The most that use beyond a plan may cost in a round, tax included."""

    cap = forms.CharField(label=gettext_lazy("At most, in each period"), max_length=12)

    def __init__(self, held: PlanView, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = held.currency
        if held.overage_cap_minor:
            self.fields["cap"].initial = money.plain(held.overage_cap_minor, held.currency)
        self.fields["cap"].help_text = _("In %(currency)s. Nothing is ever charged above it.") % {
            "currency": held.currency
        }

    def clean_cap(self) -> int:
        try:
            amount = money.parse(self.cleaned_data["cap"], self.currency)
        except money.BadAmount as bad:
            raise forms.ValidationError(_("Write an amount such as 20.00.")) from bad
        if amount < 1:
            raise forms.ValidationError(_("Write an amount above zero; to end it there is a button."))
        return amount


def _mine(customer_id: int, number: str) -> PlanView:
    found = next((row for row in sales.list_plans(customer_id) if row.subscription == number), None)
    if found is None:
        raise Http404
    return found


def _choices(held: PlanView) -> list[Choice]:
    """What renews in the same currency and costs something, the present rhythm first."""
    unsold = selling.unsold()
    found = [
        (plan, price, price.period or plan.period or held.period, _gross(held, price))
        for plan in catalog.list_plans(get_language())
        for price in plan.prices
        if plan.kind == "subscription" and (plan.slug == held.plan or plan.slug not in unsold)
        if (plan.slug, price.id) != (held.plan, held.price)
        if price.currency == held.currency and price.amount_minor
    ]
    found.sort(key=lambda one: one[2] != held.period)
    return [
        Choice(plan, price, period, amount, begins_at_once(held.period, held.amount_minor, period, amount))
        for plan, price, period, amount in found
    ]


def _gross(held: PlanView, price: PriceTerms) -> int:
    return taxes.tax_for(held.customer_id).of(price.amount_minor)[0]


@require_safe
@for_customer
def plan_page(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """GET /console/plans/<number>/"""
    held = _mine(customer_id, number)
    return _page(request, held, CapForm(held, auto_id="cap_%s"))


def _page(request: HttpRequest, held: PlanView, form: CapForm) -> HttpResponse:
    values = {
        "plan": held,
        "choices": _choices(held),
        "form": form,
        "next_minor": records.next_minor(held.subscription_id),
        "beyond": overage.used_now(held.subscription_id),
        "resume": resuming.quote(held.customer_id, held.subscription) if held.state == "paused" else None,
        "stops": [one for one in stopped.of(held.customer_id) if one.plan == held.plan],
        "grace_ends": held.past_due_at + renewal.GRACE if held.past_due_at else None,
    }
    return render(request, "console/plan.html", values, status=422 if form.is_bound else 200)


@require_POST
@for_customer
def plan_overage(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """POST /console/plans/<number>/overage/: allow use beyond the plan up to a cap, or end it."""
    held = _mine(customer_id, number)
    if request.POST.get("off"):
        overage.set_cap(customer_id, number, 0)
        messages.success(request, _("Nothing more is used beyond your plan."))
        return redirect("console_plan", number)
    form = CapForm(held, request.POST, auto_id="cap_%s")
    if form.is_valid():
        try:
            overage.set_cap(customer_id, number, form.cleaned_data["cap"])
        except overage.CannotAllow as no:
            form.add_error("cap", _refusal_of_cap(no.code))
        else:
            messages.success(request, _("Your cap is set. You are told at 50, 80 and 100 per cent of it."))
            return redirect("console_plan", number)
    return _page(request, held, form)


def _refusal_of_cap(code: str) -> str:
    return {
        "too_small": _("That is too little for even one unit."),
        "too_large": _("That is more than can be allowed here. Please write to us."),
        "not_active": _("This plan is not active; settle what is open first."),
        "unpaid": _("An earlier bill is not paid. Pay it first."),
    }.get(code, _("This plan has no use beyond its units."))


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def plan_cancel(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """GET asks, POST ends the plan with the period that is paid."""
    held = _mine(customer_id, number)
    if request.method == "POST":
        renewal.cancel_plan(customer_id, number)
        messages.success(request, _("Your plan ends with its period. Until then everything works."))
        return redirect("console_plan", number)
    return render(request, "console/plan_cancel.html", {"plan": held})


@require_POST
@for_customer
def plan_keep(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """POST /console/plans/<number>/keep/: takes back a cancellation or a change that waits."""
    held = _mine(customer_id, number)
    if held.ends_with_period:
        renewal.keep_plan(customer_id, number)
    if held.pending_plan:
        plan_change.keep_present_plan(customer_id, number)
    messages.success(request, _("Your plan goes on as it is."))
    return redirect("console_plan", number)


@require_POST
@for_customer
def plan_pause(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """POST /console/plans/<number>/pause/: rests, or goes on if it rests."""
    held = _mine(customer_id, number)
    try:
        if held.state == "paused":
            if renewal.unpause_plan(customer_id, number):
                messages.success(request, _("Your plan goes on."))
            else:
                messages.info(request, _("This product is stopped. Your plan goes on when it does."))
        else:
            renewal.pause_plan(customer_id, number)
            messages.success(request, _("Your plan rests. What is paid goes on to the end of its period."))
    except CannotChange as no:
        messages.error(request, _refusal(no.code))
    return redirect("console_plan", number)


@require_POST
@for_customer
def plan_payment(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """POST /console/plans/<number>/payment/: to the provider's page for the card."""
    _mine(customer_id, number)
    try:
        return redirect(renewal.portal_url(customer_id, request.build_absolute_uri("../")))
    except ProviderError:
        messages.warning(request, _("The payment provider cannot show its page now. Please try again."))
        return redirect("console_plan", number)


@require_POST
@for_customer
def plan_resume(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """POST /console/plans/<number>/resume/: a plan that rests goes on at once, for the rest of its period."""
    _mine(customer_id, number)
    try:
        order = resuming.go_on(customer_id, number, language=get_language() or "en")
        return redirect(purchase.begin_payment(order))
    except CannotChange as no:
        messages.error(request, _refusal(no.code))
    except (purchase.CannotPay, ProviderError):
        messages.warning(
            request, _("The payment provider does not answer. Nothing was charged; please try again.")
        )
    return redirect("console_plan", number)


@require_POST
@for_customer
def plan_pay(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """POST /console/plans/<number>/pay/: to the page of the invoice that is overdue."""
    _mine(customer_id, number)
    try:
        return redirect(renewal.pay_url(customer_id, number, request.build_absolute_uri("../")))
    except ProviderError:
        messages.warning(request, _("The payment provider cannot show its page now. Please try again."))
        return redirect("console_plan", number)


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def plan_switch(request: HttpRequest, customer_id: int, number: str, plan: str, price: str) -> HttpResponse:
    """GET shows what a change costs and gives, POST makes it: the sum is seen before it is owed."""
    held = _mine(customer_id, number)
    try:
        quote = plan_change.quote_change(customer_id, number, plan, price)
        if request.method == "POST":
            due = request.POST.get("due", "")
            order = plan_change.change_plan(
                customer_id,
                number,
                plan,
                price,
                language=get_language() or "en",
                seen_minor=int(due) if due.isdecimal() and len(due) < 16 else None,
            )
            if order:
                return redirect(purchase.begin_payment(order))
            messages.success(request, _("The change is noted and comes with the next period."))
            return redirect("console_plan", number)
    except (catalog.NotOffered, NoSuchPlan):
        raise Http404 from None
    except CannotChange as no:
        messages.error(request, _refusal(no.code))
        if no.code == "moved":  # time has passed since: what it costs now is to be seen first
            return redirect("console_plan_switch", number, plan, price)
        return redirect("console_plan", number)
    except (purchase.CannotPay, ProviderError):
        messages.warning(
            request, _("The payment provider does not answer. Nothing was charged; please try again.")
        )
        return redirect("console_plan", number)
    return render(request, "console/plan_switch.html", {"plan": held, "quote": quote})


def _refusal(code: str) -> str:
    return {
        "same": _("That is the plan you have."),
        "other_currency": _("A plan cannot change its currency."),
        "moved": _("The sum has changed while the page was open. This is what it costs now."),
        "not_active": _("This plan is not active; settle what is open first."),
        "not_sold": _("This plan is not sold at the moment."),
        "trialing": _("This plan is still being tried; it can change when the trial is over."),
        "ends_soon": _("The period ends within a day: change when the next one has begun."),
        "pending": _("A change is waiting already. Take it back first."),
        "not_resting": _("This plan does not rest any more."),
    }.get(code, _("This change cannot be made."))
