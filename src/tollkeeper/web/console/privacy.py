"""The privacy centre: one's own data, one's choices, who received what, and the end of the account."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from allauth.account.decorators import reauthentication_required
from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tollkeeper.flows import erasure
from tollkeeper.kit import audit, egress
from tollkeeper.kit.egress import DisclosureRow
from tollkeeper.privacy import choices, periods, policy_queries, requests
from tollkeeper.privacy.copying import copy_of
from tollkeeper.web.access import View, for_customer

_BY_INTEREST = "interest"
again: Callable[[View], View] = reauthentication_required
"""The password or a factor once more, unless it was given a moment ago."""


SHOWN_DISCLOSURES = 1000


@dataclass(frozen=True, slots=True)
class Received:
    """What one recipient got about a person for one purpose, all messages together."""

    processor: str
    purpose: str
    messages: int
    last_at: dt.datetime
    fields: tuple[str, ...]


def gather(disclosures: Iterable[DisclosureRow]) -> list[Received]:
    """Disclosures, newest first, as one line for each recipient and purpose."""
    found: dict[tuple[str, str], list[DisclosureRow]] = {}
    for one in disclosures:
        found.setdefault((one.processor, one.purpose), []).append(one)
    return [
        Received(*key, len(rows), rows[0].at, tuple(sorted({field for row in rows for field in row.fields})))
        for key, rows in found.items()
    ]


class Closing(forms.Form):
    """The word that the account shall end."""

    sure = forms.BooleanField(label=gettext_lazy("Delete my account and all data that no law asks to keep."))
    at_once = forms.BooleanField(
        label=gettext_lazy("Do it at once: I do not want time to think again."), required=False
    )


def _purposes(user: Any) -> list[dict[str, Any]]:
    """Purposes that one may object to or consent to, with what was chosen."""
    policy = policy_queries.get_current().policy
    return [
        {"name": name, "purpose": purpose, "on": choices.may(user.pk, name)}
        for name, purpose in policy.purposes.items()
        if purpose.basis in (_BY_INTEREST, "consent")
    ]


@require_safe
@for_customer
def centre(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET /console/privacy/"""
    user: Any = request.user
    policy = policy_queries.get_current().policy
    values = {
        "purposes": _purposes(user),
        "requests": requests.requests_of(user.pk),
        "received": [
            {
                "who": policy.recipients[one.processor].name
                if one.processor in policy.recipients
                else one.processor,
                "why": policy.purposes[one.purpose].title if one.purpose in policy.purposes else None,
                "row": one,
            }
            for one in gather(egress.disclosures_of(user.pk, limit=SHOWN_DISCLOSURES))
        ],
        "hours": policy.clocks.closure_cool_off_hours,
    }
    return render(request, "console/privacy.html", values)


def _document(subject: Any) -> Iterator[str]:
    """The whole copy as one JSON text, table by table."""
    yield '{"made_at": ' + json.dumps(timezone.now().isoformat()) + ', "tables": {'
    for number, part in enumerate(copy_of(subject)):
        head = {"provided": part.provided, "withheld": part.withheld}
        yield (", " if number else "") + json.dumps(part.label) + ": " + json.dumps(head)[:-1] + ', "rows": ['
        for place, row in enumerate(part.rows):
            yield (", " if place else "") + json.dumps(row, default=str)
        yield "]}"
    yield "}}"


@require_POST
@again
@for_customer
def copy(request: HttpRequest, customer_id: int) -> HttpResponse:
    """POST /console/privacy/copy/: everything about the person, as a file."""
    user: Any = request.user
    audit.record("subject.copy", actor=audit.person(user.pk), subject=user.pk)
    answer = StreamingHttpResponse(_document(user.pk), content_type="application/json")
    answer["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return cast(HttpResponse, answer)


@require_POST
@for_customer
def choose(request: HttpRequest, customer_id: int) -> HttpResponse:
    """POST /console/privacy/choose/: object to a purpose, or allow it again; the same act both ways."""
    user: Any = request.user
    name = request.POST.get("purpose", "")
    known = {one["name"]: one for one in _purposes(user)}
    if name in known:
        purpose = known[name]["purpose"]
        if purpose.basis == "consent":
            action = "withdraw" if known[name]["on"] else "give"
        else:
            action = "object" if known[name]["on"] else "allow"
        choices.choose(action, name, subject=user.pk, source="console", text=purpose.text.en)
        messages.success(request, _("Saved. It holds from now on."))
    return redirect("console_privacy")


@require_http_methods(["GET", "HEAD", "POST"])
@again
@for_customer
def close(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET and POST /console/privacy/close/: what goes, what stays and why; then the end."""
    user: Any = request.user
    form = Closing(request.POST if request.method == "POST" else None, auto_id="close_%s")
    policy = policy_queries.get_current().policy
    if form.is_bound and form.is_valid():
        number = erasure.close_account(user.pk, at_once=form.cleaned_data["at_once"])
        logout(request)
        messages.success(request, _("Your account is closed. The number of your request is %s.") % number)
        return redirect("home")
    kept: dict[str, Any] = {row.rule: policy.keep[row.rule] for row in periods.stays(policy)}
    values = {
        "form": form,
        "kept": kept,
        "hours": policy.clocks.closure_cool_off_hours,
        "clocks": policy.clocks,
    }
    return render(request, "console/close.html", values, status=422 if form.is_bound else 200)
