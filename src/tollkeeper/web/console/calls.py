"""GET /console/calls/: the call log, filtered and paged, latest first."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from tollkeeper.delivery import queries as delivery
from tollkeeper.usage import queries as usage
from tollkeeper.web.access import for_customer
from tollkeeper.web.storefront import paths

_PAGE = 50


class Filters(forms.Form):
    """What of the log to show; everything may be left out."""

    key = forms.TypedChoiceField(label=_("Key"), required=False, coerce=int, empty_value=None)
    route = forms.ChoiceField(label=_("Endpoint"), required=False)
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[("", _("All")), ("errors", _("Errors only"))]
    )
    before = forms.RegexField(r"\A\d{1,16}-\d{1,18}\Z", required=False, widget=forms.HiddenInput)

    def __init__(self, request: HttpRequest, keys: list[delivery.KeyRow]) -> None:
        super().__init__(request.GET, auto_id="filter_%s")
        names = [("", _("All keys")), *((key.id, key.name) for key in keys)]
        routes = [(name, path) for name, path in paths().items()]
        self.fields["key"].choices = names  # type: ignore[attr-defined]
        self.fields["route"].choices = [("", _("All endpoints")), *routes]  # type: ignore[attr-defined]


@require_safe
@for_customer
def call_log(request: HttpRequest, customer_id: int) -> HttpResponse:
    """Filters that make no sense are said so and ignored: the log itself is always there."""
    keys = delivery.list_keys(customer_id)
    filters = Filters(request, keys)
    filters.is_valid()
    wanted = filters.cleaned_data
    calls = usage.recent_calls(
        customer_id,
        _PAGE + 1,
        before=wanted.get("before", ""),
        key_id=wanted.get("key"),
        route=wanted.get("route", ""),
        errors_only=wanted.get("outcome") == "errors",
    )
    shown = calls[:_PAGE]
    return render(
        request,
        "console/calls.html",
        {
            "filters": filters,
            "filtered": any(wanted.get(name) for name in ("key", "route", "outcome")),
            "calls": shown,
            "older": shown[-1].place if len(calls) > _PAGE else None,
            "paged": bool(wanted.get("before")),
            "key_names": {key.id: key.name for key in keys},
            "paths": paths(),
        },
    )
