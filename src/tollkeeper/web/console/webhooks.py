"""Addresses that are told what happens: a customer's own, and on the desk the operator's."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from tollkeeper.core.webhooks import KINDS, BadAddress
from tollkeeper.flows.announcing import local_allowed
from tollkeeper.outbox import queries, services
from tollkeeper.web.access import for_customer, for_staff

_KINDS = {
    "order": gettext_lazy("Orders: paid, delivered, refunded, ended"),
    "payment": gettext_lazy("Payments, refunds and disputes"),
    "key": gettext_lazy("Keys: active, suspended, revoked"),
    "quota": gettext_lazy("Units: half, four fifths, all used; ending soon"),
    "customer": gettext_lazy("Customers who were erased: forget them too"),
}


class EndpointForm(forms.Form):
    """Where to post, and what."""

    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=500,
        help_text=gettext_lazy("https, and reachable from the internet."),
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off"}),
    )
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("What to tell"),
        choices=[(kind, _KINDS[kind]) for kind in KINDS],
        initial=list(KINDS),
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, face: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if face == "console":  # one's own erasure is nothing that one's own program hears of
            kinds: Any = self.fields["kinds"]
            kinds.choices = [choice for choice in kinds.choices if choice[0] != "customer"]


_REFUSALS = {
    "form": gettext_lazy("This is no address."),
    "scheme": gettext_lazy("The address must begin with https://."),
    "user": gettext_lazy("Leave user name and password out of the address; every post is signed."),
    "host": gettext_lazy("The address needs the name of a host."),
    "private": gettext_lazy("That address is not on the open internet."),
}


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def webhook_list(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET and POST /console/webhooks/"""
    return _list(request, customer_id, "console")


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def webhook(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """GET and POST /console/webhooks/<number>/"""
    return _one(request, customer_id, number, "console")


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def desk_webhook_list(request: HttpRequest) -> HttpResponse:
    """GET and POST /desk/webhooks/: endpoints that hear of every customer."""
    return _list(request, None, "desk")


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def desk_webhook(request: HttpRequest, number: str) -> HttpResponse:
    """GET and POST /desk/webhooks/<number>/"""
    return _one(request, None, number, "desk")


def _list(request: HttpRequest, customer_id: int | None, face: str) -> HttpResponse:
    form = EndpointForm(request.POST if request.method == "POST" else None, auto_id="webhook_%s", face=face)
    if form.is_bound and form.is_valid():
        person: Any = request.user
        owner = person.pk if customer_id is not None else None
        wanted = tuple(form.cleaned_data["kinds"])
        try:
            number = services.add_endpoint(
                customer_id, owner, form.cleaned_data["url"].strip(), wanted, local=local_allowed()
            )
        except BadAddress as bad:
            form.add_error("url", _REFUSALS[bad.code])
        except services.TooMany:
            form.add_error(None, _("Five addresses are the most. Remove one first."))
        else:
            messages.success(request, _("From now on this address is told."))
            return redirect(f"{face}_webhook", number)
    values = {
        "face": face,
        "layout": f"layouts/{face}.html",
        "form": form,
        "endpoints": [(row, f"{face}_webhook") for row in queries.list_endpoints(customer_id)],
    }
    return render(request, "console/webhooks.html", values, status=422 if form.is_bound else 200)


def _one(request: HttpRequest, customer_id: int | None, number: str, face: str) -> HttpResponse:
    try:
        row = queries.get_endpoint(customer_id, number)
        if request.method == "POST":
            return _act(request, customer_id, number, face)
    except services.NoEndpoint:
        raise Http404 from None
    values = {
        "layout": f"layouts/{face}.html",
        "list_name": f"{face}_webhooks",
        "endpoint": row,
        "posts": queries.list_posts(customer_id, number),
    }
    return render(request, "console/webhook.html", values)


def _act(request: HttpRequest, customer_id: int | None, number: str, face: str) -> HttpResponse:
    act = request.POST.get("act", "")
    if act == "remove":
        services.remove_endpoint(customer_id, number)
        messages.success(request, _("Removed. Nothing is posted there any more."))
        return redirect(f"{face}_webhooks")
    if act == "pause":
        services.pause_endpoint(customer_id, number)
        messages.success(request, _("Paused. What happens waits."))
    elif act == "resume":
        services.resume_endpoint(customer_id, number)
        messages.success(request, _("It goes on where it stopped."))
    elif act == "secret":
        services.renew_secret(customer_id, number)
        messages.success(request, _("There is a new secret. For a day the old one signs beside it."))
    elif act == "forget_secret":
        services.forget_old_secret(customer_id, number)
        messages.success(request, _("The old secret signs no more."))
    elif act == "ping":
        fresh = services.ping(customer_id, number, timezone.now())
        messages.success(request, _("A test is on its way.") if fresh else _("A test is on its way already."))
    elif act == "again":
        services.send_again(customer_id, number, request.POST.get("event", ""))
        messages.success(request, _("The event is posted again."))
    elif act == "replay":
        count = services.replay(customer_id, number, request.POST.get("since", ""))
        text = ngettext("%d event is posted again.", "%d events are posted again, in order.", count)
        messages.success(request, text % count)
    return redirect(f"{face}_webhook", number)
