"""GET and POST /console/keys/<id>/: what a single key is called and may do, within its plan."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from tollkeeper.core.terms import LimitTerms
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery import services as verbs
from tollkeeper.delivery.queries import KeyRow
from tollkeeper.web.access import for_customer
from tollkeeper.web.storefront import paths

_MINUTE = 60
_OWN_LIMIT = "minute"


class Rules(forms.Form):
    """Everything beyond the name narrows; left empty it narrows nothing."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    expires_on = forms.DateField(
        label=gettext_lazy("Works until the end of"),
        required=False,
        help_text=gettext_lazy("A day, UTC. Empty: until it is revoked."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    per_minute = forms.IntegerField(
        label=gettext_lazy("At most so many calls a minute"), required=False, min_value=1, max_value=10**9
    )
    ip_ranges = forms.CharField(
        label=gettext_lazy("Only from these networks"),
        required=False,
        max_length=5000,
        help_text=gettext_lazy("One address or range a line, such as 203.0.113.0/24 or 2001:db8::/32."),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    routes = forms.MultipleChoiceField(
        label=gettext_lazy("Only these endpoints"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None ticked: all that the plan includes."),
    )

    def __init__(self, data: Any = None, *, key: KeyRow) -> None:
        super().__init__(data, auto_id="rule_%s", initial=_present(key))
        self.fields["routes"].choices = list(paths().items())  # type: ignore[attr-defined]

    def clean_expires_on(self) -> dt.date | None:
        day: dt.date | None = self.cleaned_data["expires_on"]
        if day is not None and day < dt.datetime.now(dt.UTC).date():
            raise forms.ValidationError(_("That day is over."))
        return day

    def wishes(self) -> verbs.Own:
        """What the form asks for, as the delivery room knows it."""
        most = self.cleaned_data["per_minute"]
        limits = (LimitTerms(_OWN_LIMIT, "requests", most, _MINUTE),) if most else ()
        lines = tuple(line.strip() for line in self.cleaned_data["ip_ranges"].splitlines() if line.strip())
        return verbs.Own(limits=limits, routes=tuple(self.cleaned_data["routes"]), ip_ranges=lines)


def _present(key: KeyRow) -> dict[str, Any]:
    own = next((limit for limit in key.own.limits if limit.window_s == _MINUTE), None)
    return {
        "name": key.name,
        "expires_on": key.expires_at.date() if key.expires_at else None,
        "per_minute": own.amount if own else None,
        "ip_ranges": "\n".join(key.own.ip_ranges),
        "routes": list(key.own.routes),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def key_rules(request: HttpRequest, customer_id: int, key_id: int) -> HttpResponse:
    """All of the form or nothing of it takes effect."""
    key = delivery.find_key(key_id, customer_id)
    if key is None:
        raise Http404
    form = Rules(request.POST if request.method == "POST" else None, key=key)
    if request.method == "POST" and form.is_valid():
        try:
            _apply(key, customer_id, form)
        except verbs.BadWish as wish:
            form.add_error(wish.field if wish.field in form.fields else None, str(wish))
        else:
            messages.success(request, _("Saved. Gates know it within two seconds."))
            return redirect("console_keys")
    values = {"key": key, "form": form}
    return render(request, "console/key_rules.html", values, status=422 if form.is_bound else 200)


def _apply(key: KeyRow, customer_id: int, form: Rules) -> None:
    day = form.cleaned_data["expires_on"]
    with transaction.atomic():
        verbs.rename_key(key.id, customer_id, form.cleaned_data["name"])
        verbs.narrow_key(key.id, customer_id, form.wishes())
        if "expires_on" in form.changed_data:
            end = dt.datetime.combine(day, dt.time.max, dt.UTC) if day else None
            verbs.set_expiry(key.id, customer_id, end)
