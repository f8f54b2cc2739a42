"""/desk/customers/<number>/units/: units given and taken by hand, with a reason, on the record."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from tollkeeper.accounts import queries as accounts
from tollkeeper.catalog import queries as catalog
from tollkeeper.core.terms import MICRO
from tollkeeper.flows import gifts
from tollkeeper.usage import queries as usage
from tollkeeper.web.access import for_staff
from tollkeeper.web.templatetags.figures import units as shown

REASONS = (
    ("goodwill", gettext_lazy("Goodwill")),
    ("outage", gettext_lazy("An outage of ours")),
    ("correction", gettext_lazy("A correction")),
    ("trial", gettext_lazy("To try something")),
    ("partner", gettext_lazy("A partner")),
    ("test", gettext_lazy("A test")),
)
"""Words of :data:`flows.gifts.REASONS`, as people read them."""


class UnitsForm(forms.Form):
    """``key`` is made with the page, so that a form that is sent twice acts once."""

    amount = forms.DecimalField(
        label=gettext_lazy("Units"),
        max_digits=18,
        decimal_places=6,
        min_value=0,
        help_text=gettext_lazy("Up to six digits after the point."),
    )
    reason = forms.ChoiceField(label=gettext_lazy("Reason"), choices=REASONS)
    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].initial = uuid.uuid4

    @property
    def micro(self) -> int | None:
        """The amount in micro-units; None if it was left out."""
        given = self.cleaned_data["amount"]
        return None if given is None else int(given * MICRO)


class GiveForm(UnitsForm):
    unit = forms.ChoiceField(label=gettext_lazy("Unit"))
    lasts_days = forms.IntegerField(
        label=gettext_lazy("Days until they end"),
        required=False,
        min_value=1,
        max_value=3660,
        help_text=gettext_lazy("Without it they have no end."),
    )
    field_order = ("unit", "amount", "lasts_days", "reason", "key")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["unit"].choices = [(name, name) for name in catalog.current_shop().units]  # type: ignore[attr-defined]


class TakeForm(UnitsForm):
    grant = forms.TypedChoiceField(label=gettext_lazy("Of which grant"), coerce=int)
    field_order = ("grant", "amount", "reason", "key")

    def __init__(self, rows: list[usage.GrantRow], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"].required = False
        self.fields["amount"].help_text = _("Without it all that is left. What is spent stays spent.")
        self.fields["grant"].choices = [  # type: ignore[attr-defined]
            (row.id, _("%(left)s %(unit)s of grant %(id)s") % {
                "left": shown(row.remaining), "unit": row.unit, "id": row.id,
            })
            for row in rows
            if row.remaining and row.state in ("live", "future")
        ]  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def customer_units(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET lists the grants, POST gives or takes (``act``)."""
    customer = accounts.find_customer(public_id)
    if customer is None:
        raise Http404
    rows = usage.grants(customer.id)
    act = request.POST.get("act", "")
    give = GiveForm(request.POST if act == "give" else None, auto_id="give_%s")
    take = TakeForm(rows, request.POST if act == "take" else None, auto_id="take_%s")
    operator: Any = request.user.pk
    try:
        if act == "give" and give.is_valid():
            given = give.cleaned_data
            gifts.give_units(
                operator,
                customer.id,
                unit=given["unit"],
                amount=give.micro or 0,
                reason=given["reason"],
                lasts_days=given["lasts_days"],
                key=str(given["key"]),
            )
            messages.success(request, _("The units are given."))
            return redirect("desk_customer_units", public_id)
        if act == "take" and take.is_valid():
            wish = take.cleaned_data
            taken = gifts.take_units(
                operator,
                customer.id,
                grant_id=wish["grant"],
                amount=take.micro,
                reason=wish["reason"],
                key=str(wish["key"]),
            )
            messages.success(request, _("%(units)s units are taken back.") % {"units": shown(taken)})
            return redirect("desk_customer_units", public_id)
    except gifts.BadGift as bad:
        (give if act == "give" else take).add_error(None, str(bad))
    values = {"customer": customer, "grants": rows, "give": give, "take": take}
    return render(request, "desk/customer_units.html", values, status=422 if act else 200)
