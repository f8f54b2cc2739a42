"""GET /desk/relays/: what relays say of themselves and of our keys, and how to stop selling or serving."""

from __future__ import annotations

from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tollkeeper.catalog import queries as catalog
from tollkeeper.catalog import services as catalog_verbs
from tollkeeper.core.refusal import Refused
from tollkeeper.core.terms import TargetTerms
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery import services as verbs
from tollkeeper.flows import plan_stop, relaying, selling
from tollkeeper.web.access import for_staff

_CLOCK_S = 60


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay of the shop file, and how it was last found. ``used_percent`` of its wallet is promised."""

    terms: TargetTerms
    state: delivery.TargetRow | None
    keys: int

    @property
    def clock_off(self) -> bool:
        """Whether its clock is so far from ours that ends of keys are kept at the wrong time."""
        return self.state is not None and abs(self.state.skew_s) > _CLOCK_S

    @property
    def used_percent(self) -> int | None:
        """How much of the wallet is promised to live keys, in per cent."""
        if self.state is None or self.state.wallet is None:
            return None
        return 100 if not self.state.wallet else min(999, 100 * self.state.promised // self.state.wallet)


@dataclass(frozen=True, slots=True)
class Product:
    """A plan and its switches. ``unsold`` is a word of ``selling.unsold``, ``gone`` for one that is not
    offered any more; ``lost`` what its relay does not keep."""

    slug: str
    name: str
    made_by: str
    customers: int
    unsold: str
    lost: tuple[str, ...]
    stop: delivery.PlanStop | None


def _products() -> list[Product]:
    unsold, customers, stops = selling.unsold(), delivery.customers_by_plan(), delivery.stops()
    offered = {plan.slug: plan for plan in catalog.list_plans(get_language())}
    rows = []
    for slug, name in plan_stop.known().items():
        plan = offered.get(slug)
        rows.append(
            Product(
                slug,
                plan.name if plan else name,
                (plan.target or plan.provisioner) if plan else "",
                customers.get(slug, 0),
                unsold.get(slug, "") if plan else "gone",
                selling.not_kept(plan) if plan else (),
                stops.get(slug),
            )
        )
    return rows


@require_safe
@for_staff
def relay_list(request: HttpRequest) -> HttpResponse:
    """Relays, what is sold, and keys that are not as they should be."""
    live = delivery.live_keys_by_target()
    relays = [
        Relay(terms, delivery.find_target(name), live.get(name, 0))
        for name, terms in catalog.current_shop().targets.items()
    ]
    values = {
        "relays": relays,
        "plans": _products(),
        "odd": delivery.odd_snapshots(50),
        "unaligned": delivery.unaligned(50),
    }
    return render(request, "desk/relays.html", values)


@require_POST
@for_staff
def relay_do(request: HttpRequest, name: str, deed: str) -> HttpResponse:
    """POST /desk/relays/<name>/<look|stop|start>/"""
    try:
        if deed == "look":
            selling.look_at_relay(name, f"{timezone.now():%Y%m%d%H%M%S}")
            messages.success(request, _("The relay is being asked. Load this page again in a moment."))
        elif deed == "stop":
            messages.warning(request, _("Stopped: %d keys, and the sale.") % selling.stop_relay(name))
        else:
            messages.success(request, _("%d keys go on.") % selling.start_relay(name))
    except relaying.NoTarget:
        raise Http404 from None
    except relaying.Refused as no:
        messages.error(request, str(no))
    return redirect("desk_relays")


@require_POST
@for_staff
def plan_do(request: HttpRequest, plan: str, deed: str) -> HttpResponse:
    """POST /desk/plans/<plan>/<withhold|offer|resume>/: the sale of one product, and its keys."""
    if plan not in plan_stop.known():
        raise Http404
    if deed == "resume":
        try:
            count = plan_stop.resume(plan, actor=request.user.pk)
        except Refused as no:
            messages.error(request, str(no))
        else:
            messages.success(request, _("It goes on, for %d customers.") % count)
    elif deed == "withhold":
        catalog_verbs.withhold(plan, timezone.now())
        messages.warning(request, _("Nobody can buy it now. What was sold goes on."))
    else:
        catalog_verbs.offer_again(plan)
        messages.success(request, _("It is for sale again."))
    return redirect("desk_relays")


class Stop(forms.Form):
    """Why a plan is stopped."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=plan_stop.MOST_WORDS,
        help_text=gettext_lazy(
            "One sentence. The plan's customers and the status page read it, as you write it."
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def plan_stop_page(request: HttpRequest, plan: str) -> HttpResponse:
    """GET /desk/plans/<plan>/stop/ asks why, POST stops the plan and every key as far as it stands on it."""
    if plan not in plan_stop.known():
        raise Http404
    form = Stop(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            count = plan_stop.stop(plan, form.cleaned_data["reason"], actor=request.user.pk)
        except Refused as no:
            form.add_error(None, str(no))
        else:
            messages.warning(request, _("Stopped, for %d customers. They are being told.") % count)
            return redirect("desk_relays")
    values = {
        "form": form,
        "title": plan_stop.title(plan, get_language()),
        "customers": delivery.customers_by_plan().get(plan, 0),
    }
    return render(request, "desk/plan_stop.html", values, status=422 if form.is_bound else 200)


@require_POST
@for_staff
def key_do(request: HttpRequest, delivery_id: int, deed: str) -> HttpResponse:
    """POST /desk/relays/keys/<id>/<look|align>/: look at one key again, or bring it in line."""
    if deed == "look":
        relaying.ask_for_sync(delivery_id)
        messages.success(request, _("The relay is being asked. Load this page again in a moment."))
    else:
        verbs.align_again(delivery_id)
        messages.success(request, _("It is being brought in line."))
    return redirect("desk_relays")
