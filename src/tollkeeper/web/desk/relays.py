"""GET /desk/relays/: what relays say of themselves and of our keys, and how to stop selling or serving."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tollkeeper.catalog import queries as catalog
from tollkeeper.catalog import services as catalog_verbs
from tollkeeper.core.terms import TargetTerms
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery import services as verbs
from tollkeeper.flows import relaying, selling
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


@require_safe
@for_staff
def relay_list(request: HttpRequest) -> HttpResponse:
    """Relays, what is sold, and keys that are not as they should be."""
    unsold, live = selling.unsold(), delivery.live_keys_by_target()
    relays = [
        Relay(terms, delivery.find_target(name), live.get(name, 0))
        for name, terms in catalog.current_shop().targets.items()
    ]
    values = {
        "relays": relays,
        "plans": [(plan, unsold.get(plan.slug, ""), selling.not_kept(plan)) for plan in catalog.list_plans()],
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
    """POST /desk/plans/<plan>/<withhold|offer>/: the switch of one product."""
    if plan not in {known.slug for known in catalog.list_plans()}:
        raise Http404
    if deed == "withhold":
        catalog_verbs.withhold(plan, timezone.now())
        messages.warning(request, _("Nobody can buy it now. What was sold goes on."))
    else:
        catalog_verbs.offer_again(plan)
        messages.success(request, _("It is for sale again."))
    return redirect("desk_relays")


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
