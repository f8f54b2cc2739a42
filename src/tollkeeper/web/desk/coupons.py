"""GET /desk/coupons/: words that take something off, and codes that give units."""

from __future__ import annotations

import datetime as dt

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from tollkeeper.catalog import queries as catalog
from tollkeeper.core import money
from tollkeeper.core.discounts import Discount
from tollkeeper.core.terms import MICRO
from tollkeeper.sales import coupons
from tollkeeper.usage import queries as usage
from tollkeeper.usage import services as usage_verbs
from tollkeeper.web.access import for_staff
from tollkeeper.web.downloads import as_file


class CouponForm(forms.Form):
    """A percentage or an amount; the amount is in the shop's own currency."""

    code = forms.CharField(label=gettext_lazy("Code"), max_length=30)
    percent = forms.DecimalField(
        label=gettext_lazy("Per cent off"), required=False, min_value=0, max_value=100, decimal_places=2
    )
    amount = forms.CharField(label=gettext_lazy("Or an amount off"), required=False, max_length=20)
    duration = forms.ChoiceField(
        label=gettext_lazy("On a plan that renews it holds"),
        choices=[
            ("once", gettext_lazy("for the first period")),
            ("months", gettext_lazy("for some months")),
            ("forever", gettext_lazy("for every period")),
        ],
        required=False,
    )
    months = forms.IntegerField(
        label=gettext_lazy("For how many months"), required=False, min_value=1, max_value=120
    )
    most_uses = forms.IntegerField(
        label=gettext_lazy("At most so many times"),
        required=False,
        min_value=1,
        help_text=gettext_lazy("Each customer uses a coupon once."),
    )
    ends_on = forms.DateField(
        label=gettext_lazy("Until the end of"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    def discount(self) -> Discount:
        """What it takes off. Raises ``ValueError``."""
        percent, amount = self.cleaned_data["percent"] or 0, self.cleaned_data["amount"]
        currency = catalog.current_shop().currency if amount else ""
        return Discount(int(percent * 100), money.parse(amount, currency) if amount else 0, currency)


class CodesForm(forms.Form):
    """Codes that are made together; they are shown once, as a file."""

    label = forms.CharField(label=gettext_lazy("Name of the batch"), max_length=60)
    count = forms.IntegerField(label=gettext_lazy("How many"), min_value=1, max_value=10_000)
    unit = forms.ChoiceField(label=gettext_lazy("Unit"))
    amount = forms.IntegerField(label=gettext_lazy("Units for each"), min_value=1, max_value=10**12)
    lasts_days = forms.IntegerField(
        label=gettext_lazy("Days until the units end"), required=False, min_value=1
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["unit"].choices = [(name, name) for name in catalog.current_shop().units]  # type: ignore[attr-defined]


def _page(request: HttpRequest, form: CouponForm, codes: CodesForm) -> HttpResponse:
    values = {
        "coupons": coupons.list_coupons(),
        "batches": usage.batches(),
        "form": form,
        "codes_form": codes,
        "currency": catalog.current_shop().currency,
    }
    return render(
        request, "desk/coupons.html", values, status=422 if form.is_bound or codes.is_bound else 200
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def coupon_list(request: HttpRequest) -> HttpResponse:
    """GET lists, POST makes a coupon."""
    form = CouponForm(request.POST if request.method == "POST" else None, auto_id="coupon_%s")
    if form.is_bound and form.is_valid():
        day = form.cleaned_data["ends_on"]
        ends_at = dt.datetime.combine(day, dt.time.max, dt.UTC) if day else None
        try:
            coupons.make(
                form.cleaned_data["code"],
                form.discount(),
                duration=form.cleaned_data["duration"] or "once",
                months=form.cleaned_data["months"],
                most_uses=form.cleaned_data["most_uses"],
                ends_at=ends_at,
            )
        except ValueError as bad:
            form.add_error(None, str(bad))
        else:
            messages.success(request, _("The coupon is made."))
            return redirect("desk_coupons")
    return _page(request, form, CodesForm(auto_id="codes_%s"))


@require_POST
@for_staff
def coupon_cancel(request: HttpRequest, coupon_id: int) -> HttpResponse:
    """POST /desk/coupons/<id>/cancel/"""
    coupons.cancel(coupon_id)
    messages.success(request, _("Nobody uses this coupon any more."))
    return redirect("desk_coupons")


@require_POST
@for_staff
def code_batch(request: HttpRequest) -> HttpResponse:
    """POST /desk/coupons/codes/: answers the codes as a file; they stand nowhere else."""
    form = CodesForm(request.POST, auto_id="codes_%s")
    if form.is_valid():
        given = form.cleaned_data
        try:
            made = usage_verbs.make_codes(
                label=given["label"],
                count=given["count"],
                unit=given["unit"],
                amount=given["amount"] * MICRO,
                lasts_days=given["lasts_days"],
            )
        except ValueError as bad:
            form.add_error(None, str(bad))
        else:
            return as_file("\n".join(made) + "\n", "codes.txt", "text/plain; charset=utf-8")
    return _page(request, CouponForm(auto_id="coupon_%s"), form)
