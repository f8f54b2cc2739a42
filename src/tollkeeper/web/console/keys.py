"""The keys of a customer: list, make, show once, replace, revoke."""

from __future__ import annotations

import datetime as dt

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.keys import KeyText
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery import services as verbs
from tollkeeper.flows import relaying
from tollkeeper.web import clients, snippets
from tollkeeper.web.access import for_customer
from tollkeeper.web.console import relays, stopped
from tollkeeper.web.storefront import example_route

_OVERLAPS = {
    "0": dt.timedelta(0),
    "1h": dt.timedelta(hours=1),
    "1d": dt.timedelta(days=1),
    "7d": dt.timedelta(days=7),
}


class NewKey(forms.Form):
    """A name, and a unit where the customer has plans in several."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=60,
        help_text=gettext_lazy("Where it will be used, such as “backend” or “laptop”. Only you see it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    unit = forms.ChoiceField(label=gettext_lazy("Counts"), required=False)

    def __init__(self, data: object = None, *, units: list[str]) -> None:
        super().__init__(data, auto_id="key_%s")  # type: ignore[arg-type]
        if len(units) > 1:
            self.fields["unit"].choices = [(unit, unit) for unit in units]  # type: ignore[attr-defined]
        else:
            del self.fields["unit"]


class Replace(forms.Form):
    """How long the old key goes on beside its successor."""

    overlap = forms.ChoiceField(
        label=gettext_lazy("The old key works on for"),
        choices=[
            ("1d", gettext_lazy("one day")),
            ("1h", gettext_lazy("one hour")),
            ("7d", gettext_lazy("seven days")),
            ("0", gettext_lazy("no longer: it stops at once")),
        ],
    )


@require_safe
@for_customer
def key_list(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET /console/keys/"""
    keys = delivery.list_keys(customer_id)
    units = delivery.delivered_units(customer_id)
    gone = [key for key in keys if key.state in ("revoked", "expired")]
    return render(
        request,
        "console/keys.html",
        {
            "keys": [key for key in keys if key not in gone],
            "gone": gone,
            "units": units,
            "form": NewKey(units=units),
            "unrevealed": delivery.find_unrevealed(customer_id),
            "names": catalog.plan_names(get_language()),
            "stops": stopped.of(customer_id),
            **relays.look_context(request, customer_id),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def key_new(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET and POST /console/keys/new/: the answer to the POST is the only page that shows the key."""
    units = delivery.delivered_units(customer_id)
    form = NewKey(request.POST if request.method == "POST" else None, units=units)
    if request.method == "POST" and form.is_valid():
        try:
            key_id, text = verbs.create_key(
                customer_id, name=form.cleaned_data["name"], unit=form.cleaned_data.get("unit", "")
            )
        except verbs.BadWish as wish:
            form.add_error(wish.field if wish.field in form.fields else None, str(wish))
        except verbs.NothingDelivered:
            form.add_error(None, _("There is no plan yet that a key could be made for. Choose one first."))
        else:
            return _shown(request, customer_id, key_id, text)
    status = 422 if form.is_bound else 200
    return render(request, "console/key_new.html", {"form": form, "units": units}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def key_reveal(request: HttpRequest, customer_id: int, delivery_id: int) -> HttpResponse:
    """GET asks, POST shows the key of a delivery, once."""
    mine = next((row for row in delivery.deliveries(customer_id) if row.id == delivery_id), None)
    if mine is None:
        raise Http404
    if request.method == "POST":
        try:
            text = verbs.reveal(delivery_id, customer_id)
        except (verbs.AlreadyRevealed, verbs.NoDelivery):
            messages.warning(
                request,
                _("This key was shown before and cannot be shown again. Make a new one if it is lost."),
            )
            return redirect("console_keys")
        return _shown(request, customer_id, mine.key_id, text, mine.target)
    if not mine.revealable:
        messages.warning(
            request, _("This key was shown before and cannot be shown again. Make a new one if it is lost.")
        )
        return redirect("console_keys")
    return render(request, "console/key_reveal.html", {"delivery": mine})


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def key_revoke(request: HttpRequest, customer_id: int, key_id: int) -> HttpResponse:
    """GET asks, POST stops a key for good."""
    key = delivery.find_key(key_id, customer_id)
    if key is None:
        raise Http404
    if request.method == "POST":
        if verbs.revoke_key(key_id, customer_id):
            messages.success(
                request, _("The key “%s” is revoked. It stops working within two seconds.") % key.name
            )
        return redirect("console_keys")
    return render(request, "console/key_revoke.html", {"key": key})


@require_POST
@for_customer
def key_pause(request: HttpRequest, customer_id: int, key_id: int, *, paused: bool) -> HttpResponse:
    """POST /console/keys/<id>/<pause|resume>/: stop a key for a while, or let it go on."""
    if delivery.find_key(key_id, customer_id) is None:
        raise Http404
    verb = verbs.suspend_keys if paused else verbs.resume_keys
    verb(customer_id, verbs.PAUSED, key_id=key_id)
    said = _("Paused. Gates refuse it within two seconds.") if paused else _("It goes on.")
    messages.success(request, said)
    return redirect("console_keys")


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def key_replace(request: HttpRequest, customer_id: int, key_id: int) -> HttpResponse:
    """GET asks, POST makes a successor and shows it; the old key goes on for a while."""
    key = delivery.find_key(key_id, customer_id)
    if key is None:
        raise Http404
    form = Replace(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            new_id, text = verbs.rotate_key(
                key_id, customer_id, overlap=_OVERLAPS[form.cleaned_data["overlap"]]
            )
        except verbs.BadWish as wish:
            form.add_error(None, str(wish))
        else:
            return _shown(request, customer_id, new_id, text)
    return render(
        request, "console/key_replace.html", {"key": key, "form": form}, status=422 if form.is_bound else 200
    )


def _shown(
    request: HttpRequest, customer_id: int, key_id: int | None, text: KeyText, target: str = ""
) -> HttpResponse:
    key = delivery.find_key(key_id, customer_id) if key_id else None
    terms = catalog.gate_terms()
    base = relays.base_of(target) if target else ""
    if base:
        place = clients.at_relay(terms, base, relaying.serves(target))
    else:
        place = clients.at_gate(terms, settings.ENV.gate_url)
    variable = snippets.variable(terms.shop)
    values = {
        "key": key,
        "key_text": text.text,
        "base": base,
        "variable": variable,
        "client_settings": clients.settings_for(place, variable, terms.shop) if place else (),
        "example": None if base or place else example_route(terms),
        "gate_url": settings.ENV.gate_url,
    }
    return render(request, "console/key_shown.html", values)
