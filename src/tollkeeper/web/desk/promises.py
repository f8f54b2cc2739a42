"""What stands behind the promises: people's words with their ends, the audit plan, what is broken."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from tollkeeper.core.refusal import Refused
from tollkeeper.privacy import policy_queries, proof_runs, reviews
from tollkeeper.privacy.attestations import ROLES
from tollkeeper.proofs import running, vouching
from tollkeeper.web.access import for_privacy
from tollkeeper.web.desk.deeds import actor, attempt
from tollkeeper.web.policy import policy_language
from tollkeeper.web.trust import ROLE_WORDS

KIND_WORDS = {
    "review": gettext_lazy("Review"),
    "contract": gettext_lazy("Contract ends"),
    "transfer": gettext_lazy("Transfer tool ends"),
    "balancing": gettext_lazy("Weigh the interest again"),
    "ccpa": gettext_lazy("Yearly review"),
}


class Vouching(forms.Form):
    """A person's word on one promise."""

    promise = forms.ChoiceField(label=gettext_lazy("I vouch for"))
    role = forms.ChoiceField(
        label=gettext_lazy("As"), choices=[(name, ROLE_WORDS[name]) for name in ROLES if name != "stand_in"]
    )
    until = forms.DateField(
        label=gettext_lazy("Until"),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("After this day the promise counts as broken. Two years at most."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language = policy_language()
        promises = policy_queries.get_current().policy.promises
        field: Any = self.fields["promise"]
        field.choices = [
            (name, f"{name} · {one[language]}")
            for name, one in promises.items()
            if vouching.needs_a_word(name)
        ]


def _page(request: HttpRequest, form: Vouching, status: int = 200) -> HttpResponse:
    now = timezone.now()
    policy = policy_queries.get_current().policy
    run = proof_runs.last_run()
    words = [
        {
            "standing": one,
            "text": policy.promises[one.promise],
            "role": ROLE_WORDS[one.word.role] if one.word else "",
        }
        for one in vouching.standing(policy, now.date()).values()
    ]
    plan = [
        {
            "due": one,
            "kind": KIND_WORDS[one.kind],
            "overdue": one.overdue(now.date()),
            "soon": one.soon(now.date()),
        }
        for one in reviews.plan(policy, reviews.begun(now))
        if one.kind != "attestation"  # they stand in the table of words
    ]
    broken = [
        (name, policy.promises[name]) for name in (run.broken_ids if run else ()) if name in policy.promises
    ]
    values = {"form": form, "words": words, "plan": plan, "run": run, "broken": broken, "today": now.date()}
    return render(request, "desk/promises.html", values, status=status)


@require_safe
@for_privacy
def promises(request: HttpRequest) -> HttpResponse:
    """GET /desk/promises/"""
    running.load_probes()
    return _page(request, Vouching())


@require_POST
@for_privacy
def attest(request: HttpRequest) -> HttpResponse:
    """POST /desk/promises/attest/"""
    running.load_probes()
    form = Vouching(request.POST)
    if form.is_valid():
        facts = form.cleaned_data
        try:
            vouching.vouch(
                facts["promise"],
                by=actor(request),
                role=facts["role"],
                until=facts["until"],
                now=timezone.now(),
            )
        except Refused as no:
            form.add_error("until", str(no))
        else:
            messages.success(request, _("Your word is signed and stands in the audit trail."))
            return redirect("desk_promises")
    return _page(request, form, status=422)


@require_POST
@for_privacy
def withdraw(request: HttpRequest, promise: str) -> HttpResponse:
    """POST /desk/promises/<promise>/withdraw/"""
    running.load_probes()
    attempt(
        request,
        lambda: vouching.take_back(promise, by=actor(request), role="privacy", now=timezone.now()),
        _("Taken back: the promise counts as broken until somebody vouches again."),
    )
    return redirect("desk_promises")


@require_POST
@for_privacy
def review(request: HttpRequest, item: str) -> HttpResponse:
    """POST /desk/promises/reviews/<item>/: it was done today."""
    said = request.POST.get("findings", "0")
    found, today = int(said) if said.isdecimal() else -1, timezone.now().date()
    attempt(
        request,
        lambda: reviews.done(item, by=actor(request), on=today, findings=found),
        _("Noted; its next day is reckoned from today."),
    )
    return redirect("desk_promises")


urlpatterns = [
    path("desk/promises/", promises, name="desk_promises"),
    path("desk/promises/attest/", attest, name="desk_promises_attest"),
    path("desk/promises/<str:promise>/withdraw/", withdraw, name="desk_promises_withdraw"),
    path("desk/promises/reviews/<str:item>/", review, name="desk_promises_review"),
]
