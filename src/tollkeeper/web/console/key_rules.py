"""GET and POST /console/keys/<id>/: what a single key is called and may do, within its plan."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.terms import MICRO, LimitTerms
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery import services as verbs
from tollkeeper.delivery.queries import KeyRow
from tollkeeper.web.access import for_customer
from tollkeeper.web.storefront import paths

_MOST = 8
"""Limits of its own that a key can have."""
_SPARE = 2
"""Empty rows for more of them."""
_UNITS = (
    ("requests", gettext_lazy("calls")),
    ("tokens", gettext_lazy("tokens")),
    ("units", gettext_lazy("units of the plan")),
)
_WINDOWS = (
    (1, gettext_lazy("a second")),
    (60, gettext_lazy("a minute")),
    (3600, gettext_lazy("an hour")),
    (86_400, gettext_lazy("a day")),
    (7 * 86_400, gettext_lazy("7 days")),
    (30 * 86_400, gettext_lazy("30 days")),
)


class Rules(forms.Form):
    """Everything beyond the name narrows; left empty it narrows nothing."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    expires_on = forms.DateField(
        label=gettext_lazy("Works until the end of"),
        required=False,
        help_text=gettext_lazy("A day, UTC. Empty: until it is revoked."),
        widget=forms.DateInput(attrs={"type": "date"}),
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
    models = forms.MultipleChoiceField(
        label=gettext_lazy("Only these models"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None ticked: all that the plan includes."),
    )

    def __init__(self, data: Any = None, *, key: KeyRow) -> None:
        super().__init__(data, auto_id="rule_%s", initial=_present(key))
        self.fields["routes"].choices = list(paths().items())  # type: ignore[attr-defined]
        sold = [model.name for model in catalog.gate_terms().models]
        if sold:
            self.fields["models"].choices = [(name, name) for name in sold]  # type: ignore[attr-defined]
        else:
            del self.fields["models"]
        own = key.own.limits
        units = [unit for unit in _UNITS if unit[0] != "tokens" or sold]
        for number in range(min(_MOST, len(own) + _SPARE)):
            self._add_row(number, own[number] if number < len(own) else None, units)

    def _add_row(self, number: int, own: LimitTerms | None, units: list[Any]) -> None:
        """Three fields in a row: how many, of what, in which time."""
        windows: list[Any] = list(_WINDOWS)
        if own is not None and own.window_s not in dict(windows):
            windows.append((own.window_s, gettext_lazy("%d s") % own.window_s))
        shown = None if own is None else _shown(own)
        self.fields[f"amount_{number}"] = forms.DecimalField(
            label=_("At most"), required=False, max_digits=18, decimal_places=6, initial=shown
        )
        self.fields[f"unit_{number}"] = forms.ChoiceField(
            label=_("of what"), required=False, choices=units, initial=own.unit if own else "requests"
        )
        self.fields[f"window_{number}"] = forms.TypedChoiceField(
            label=_("in"), required=False, coerce=int, choices=windows, initial=own.window_s if own else 60
        )

    @property
    def rows(self) -> list[tuple[Any, Any, Any]]:
        """The limits as rows of bound fields."""
        numbers = [name[7:] for name in self.fields if name.startswith("amount_")]
        return [(self[f"amount_{n}"], self[f"unit_{n}"], self[f"window_{n}"]) for n in numbers]

    def clean_expires_on(self) -> dt.date | None:
        day: dt.date | None = self.cleaned_data["expires_on"]
        if day is not None and day < dt.datetime.now(dt.UTC).date():
            raise forms.ValidationError(_("That day is over."))
        return day

    def wishes(self) -> verbs.Own:
        """What the form asks for, as the delivery room knows it."""
        limits = []
        for amount, unit, window in self.rows:
            number = amount.name.removeprefix("amount_")
            most, kind = self.cleaned_data.get(amount.name), self.cleaned_data.get(unit.name) or "requests"
            if most:
                micro = int(most * MICRO) if kind == "units" else int(most)
                limits.append(
                    LimitTerms(f"limit-{number}", kind, micro, self.cleaned_data[window.name] or 60)
                )
        lines = tuple(line.strip() for line in self.cleaned_data["ip_ranges"].splitlines() if line.strip())
        return verbs.Own(
            limits=tuple(limits),
            routes=tuple(self.cleaned_data["routes"]),
            models=tuple(self.cleaned_data.get("models") or ()),
            ip_ranges=lines,
        )

    def clean(self) -> dict[str, Any]:
        """Calls and tokens are whole numbers."""
        found = super().clean() or {}
        for amount, unit, _window in self.rows:
            most = found.get(amount.name)
            if most is not None and most <= 0:
                self.add_error(amount.name, _("More than nothing, please: an empty field is no limit."))
            elif most is not None and found.get(unit.name) != "units" and most != int(most):
                self.add_error(amount.name, _("A whole number, please."))
        return found


def _present(key: KeyRow) -> dict[str, Any]:
    return {
        "name": key.name,
        "expires_on": key.expires_at.date() if key.expires_at else None,
        "ip_ranges": "\n".join(key.own.ip_ranges),
        "routes": list(key.own.routes),
        "models": list(key.own.models),
    }


def _shown(limit: LimitTerms) -> Decimal:
    amount = Decimal(limit.amount) / MICRO if limit.unit == "units" else Decimal(limit.amount)
    return amount.normalize() if amount % 1 else Decimal(int(amount))


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
    values = {
        "key": key,
        "form": form,
        "plan": catalog.plan_names(get_language()).get(key.terms.plan, key.terms.plan),
        "limits": [limit for limit in key.terms.limits if not limit.name.startswith("own-")],
    }
    return render(request, "console/key_rules.html", values, status=422 if form.is_bound else 200)


def _apply(key: KeyRow, customer_id: int, form: Rules) -> None:
    day = form.cleaned_data["expires_on"]
    with transaction.atomic():
        verbs.rename_key(key.id, customer_id, form.cleaned_data["name"])
        verbs.narrow_key(key.id, customer_id, form.wishes())
        if "expires_on" in form.changed_data:
            end = dt.datetime.combine(day, dt.time.max, dt.UTC) if day else None
            verbs.set_expiry(key.id, customer_id, end)
