"""One request of a person on the desk: what it says, who its writer is, its letters and its one next step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from tollkeeper.flows import subject_request as flow
from tollkeeper.kit import audit
from tollkeeper.privacy import answering, copies, letters, mandates, requests
from tollkeeper.web.access import for_privacy
from tollkeeper.web.desk.deeds import attempt


class Answer(forms.Form):
    """What is written to the person."""

    reply = forms.CharField(
        label=gettext_lazy("Your answer"),
        required=False,
        max_length=requests.MAX_WORDS,
        help_text=gettext_lazy("It goes out by mail, and stays sealed with the request."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )


class Sure(forms.Form):
    """Whose request it is, after a person of ours made sure."""

    account = forms.CharField(
        label=gettext_lazy("Account (address or number)"),
        required=False,
        max_length=254,
        help_text=gettext_lazy("Leave it empty if it is the account of the address that asked."),
    )


def _choice(names: tuple[str, ...], label: Any) -> type[forms.Form]:
    field = forms.ChoiceField(label=label, choices=[(name, name.replace("_", " ")) for name in names])
    return type("Ground", (forms.Form,), {"ground": field})


@require_safe
@for_privacy
def case(request: HttpRequest, number: str) -> HttpResponse:
    """GET /desk/privacy/requests/<number>/"""
    row = requests.find_request(number)
    if row is None:
        raise Http404
    audit.record("request.read", actor=audit.person(request.user.pk), object=f"privacy.Request:{number}")
    found = copies.find_by_request(number)
    values = {
        "row": row,
        "words": requests.get_words(number),
        "letters": letters.letters_of(number),
        "mandate": mandates.find_mandate(number),
        "copy": found[0] if found else None,
        "over": flow.is_over(row.state),
        "needs": answering.LEVELS[row.needs],
        "late": row.due_on is not None and not row.answered_at and row.due_on < timezone.now().date(),
        "tries_left": answering.tries_left(number),
        "answer": Answer(auto_id="answer_%s"),
        "sure": Sure(auto_id="sure_%s"),
        "refusal": _choice(answering.REFUSALS, gettext_lazy("Why we refuse"))(auto_id="refuse_%s"),
        "extension": _choice(answering.EXTENSIONS, gettext_lazy("Why it takes longer"))(auto_id="extend_%s"),
    }
    return render(request, "desk/request.html", values)


@require_POST
@for_privacy
def step(request: HttpRequest, number: str, verb: str) -> HttpResponse:
    """POST /desk/privacy/requests/<number>/<verb>/"""
    actor: Any = request.user.pk
    said = {name: request.POST.get(name, "").strip() for name in ("ground", "reply", "account")}
    steps: dict[str, Callable[[], object]] = {
        "acknowledge": lambda: answering.acknowledge(number, actor),
        "ask": lambda: flow.ask_who(number, actor),
        "show": lambda: flow.show_by_hand(number, said["account"], actor),
        "extend": lambda: flow.extend(number, said["ground"], actor),
        "refuse": lambda: flow.refuse(number, said["ground"], actor),
        "fulfil": lambda: flow.finish(number, actor, said["reply"]),
        "partly": lambda: flow.finish(number, actor, said["reply"], partly=True),
    }
    if verb not in steps:
        raise Http404
    attempt(request, steps[verb], _("Saved."))
    return (
        redirect("desk_privacy_case", number) if requests.find_request(number) else redirect("desk_privacy")
    )


urlpatterns = [
    path("desk/privacy/requests/<str:number>/", case, name="desk_privacy_case"),
    path("desk/privacy/requests/<str:number>/<slug:verb>/", step, name="desk_privacy_request"),
]
