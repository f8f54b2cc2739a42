"""Hold orders on the desk: made with a ground and a day to look again, looked at again, released."""

from __future__ import annotations

import datetime as dt

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from tollkeeper.accounts import queries as accounts
from tollkeeper.core.refusal import Refused
from tollkeeper.privacy import holds
from tollkeeper.web.access import for_privacy
from tollkeeper.web.desk.deeds import actor, attempt
from tollkeeper.web.desk.fields import DAY, GROUNDS, record_sets


class Order(forms.Form):
    """What is held, why, and when somebody looks again."""

    subject = forms.CharField(
        label=gettext_lazy("Person"), required=False, max_length=254,
        help_text=gettext_lazy("Address or customer number; empty for a whole fiscal year."),
    )  # fmt: skip
    year = forms.IntegerField(
        label=gettext_lazy("Fiscal year"), required=False, min_value=2000,
        help_text=gettext_lazy("Nothing of this year runs out, whoever it is about."),
    )  # fmt: skip
    record_set = forms.ChoiceField(label=gettext_lazy("Record set"), choices=record_sets)
    ground = forms.ChoiceField(label=gettext_lazy("Ground"), choices=list(GROUNDS.items()))
    authority = forms.CharField(
        label=gettext_lazy("Authority, where the ground needs one"), required=False, max_length=120
    )
    review_on = forms.DateField(
        label=gettext_lazy("Look again on"), widget=DAY, help_text=gettext_lazy("Within a year.")
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_privacy
def make(request: HttpRequest) -> HttpResponse:
    """GET and POST /desk/privacy/holds/new/"""
    form = Order(request.POST if request.method == "POST" else None, auto_id="hold_%s")
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        subject = accounts.find_person(given["subject"].strip()) if given["subject"] else None
        if given["subject"] and subject is None:
            form.add_error("subject", _("There is nobody of this address or number."))
        else:
            try:
                number = holds.hold(
                    subject, given["record_set"], ground=given["ground"], reviewer=actor(request),
                    review_on=given["review_on"], authority=given["authority"], year=given["year"],
                )  # fmt: skip
            except Refused as no:
                form.add_error(None, str(no))
            else:
                messages.success(request, _("Hold order %s is in force.") % number)
                return redirect("desk_privacy")
    return render(request, "desk/hold_new.html", {"form": form}, status=422 if form.is_bound else 200)


@require_POST
@for_privacy
def review(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/privacy/holds/<number>/review/: still needed; look again on another day."""
    day = parse_date(request.POST.get("review_on", "")) or timezone.now().date() + dt.timedelta(days=90)
    said = _("Kept until somebody looks again.")
    attempt(request, lambda: holds.review(number, day, actor(request)), said)
    return redirect("desk_privacy")


urlpatterns = [
    path("desk/privacy/holds/new/", make, name="desk_privacy_hold_new"),
    path("desk/privacy/holds/<str:number>/review/", review, name="desk_privacy_hold_review"),
]
