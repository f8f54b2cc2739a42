"""Everybody who got data of an erased person is told: by jobs that ask until there is an answer.

What has to be told is noted before the first row goes (:func:`plan`), since afterwards nobody
knows what the payment provider or a relay called the person. No answer is a state; who never
answers, or says no, becomes an operator's task with a day on it.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.delivery import queries as deliveries
from tollkeeper.delivery.provisioners import Missing as NoKey
from tollkeeper.delivery.provisioners import ProvisionerError
from tollkeeper.delivery.provisioners import Refused as KeyRefused
from tollkeeper.flows import relaying
from tollkeeper.kit import egress, egress_pinned
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.outbox import services as outbox
from tollkeeper.payments import queries as payments
from tollkeeper.payments import registry
from tollkeeper.payments.providers import Missing as NoPayer
from tollkeeper.payments.providers import ProviderError
from tollkeeper.payments.providers import Refused as PayerRefused
from tollkeeper.privacy import forgetting, policy_queries
from tollkeeper.privacy.forgetting import Duty
from tollkeeper.sales import queries as sales

_TABLE = {"plan": "", "payer": "payments.Payer", "key": "delivery.Delivery"}
"""Where stands what others call the customer."""
_NOBODY = frozenset({egress_pinned.NAME})
"""Receivers that the person named: programs of their own."""


def plan(subject: uuid.UUID, receipt: str, held: Collection[str] = ()) -> list[Duty]:
    """Note who has to be told about a person, and have them told; in the caller's transaction.

    What a hold order keeps here (``held`` tables) is not deleted elsewhere either, for now.
    """
    days = policy_queries.get_current().policy.clocks.closure_processors_days
    due_on = timezone.now().date() + dt.timedelta(days=days)
    customer = accounts.customer_of(subject)
    known = _known(customer) if customer is not None else []
    wanted = [one for one in known if _TABLE[one[0]] not in held] + _others(subject)
    made = []
    for kind, processor, reference in wanted:
        duty = forgetting.expect(receipt, kind, processor, reference, due_on=due_on)
        made.append(duty)
        if duty.state == "waiting":
            enqueue("tell_processor", f"forget:{duty.id}", duty_id=duty.id)
    return made


def _known(customer: int) -> list[tuple[str, str, str]]:
    """What others call the customer: plans that renew there, payers, keys at relays."""
    plans = [("plan", one.provider, one.reference) for one in sales.list_plans(customer) if one.reference]
    payers = [("payer", *one) for one in payments.payers_of(customer)]
    return [*plans, *payers, *(("key", *one) for one in deliveries.handles_at_relays(customer))]


def _others(subject: uuid.UUID) -> list[tuple[str, str, str]]:
    """Receivers of the log of disclosures that keep no name of ours for the person.

    A processor deletes as its contract says; whoever decides for itself is written to.
    """
    asked = {*registry.names(), *_NOBODY, *(one.name for one in deliveries.targets())}
    recipients = policy_queries.get_current().policy.recipients
    found = []
    for name in sorted({one.processor for one in egress.received_about(subject)} - asked):
        role = recipients[name].role if name in recipients else "controller"
        if role == "authority":  # what it got in an inquiry is its own matter (Art. 4(9))
            continue
        found.append(("contract" if role == "processor" else "letter", name, ""))
    return found


@job("tell_processor", purpose="legal", attempts=30, cap_s=6 * 3600.0, on_dead=lambda duty_id: _dead(duty_id))
def tell_processor(context: Context, duty_id: int) -> None:
    """Tell one processor to forget; told again it does no harm."""
    duty = forgetting.get_duty(duty_id)
    if duty.state == "told":
        return
    try:
        with egress.about(purpose="delivery" if duty.kind == "key" else "order"):
            _tell(duty)
    except (NoPayer, NoKey):
        pass  # it knows no such thing any more
    except (ProviderError, ProvisionerError, relaying.NoTarget, egress.Refused) as error:
        refused = isinstance(error, PayerRefused | KeyRefused)
        forgetting.unsure(duty_id, error.code if refused else type(error).__name__)  # type: ignore[union-attr]
        raise
    forgetting.told(duty_id)


def _tell(duty: Duty) -> None:
    if duty.kind == "plan":
        registry.get_provider(duty.processor).cancel(duty.reference, at_end=False)
    elif duty.kind == "payer":
        registry.get_provider(duty.processor).forget(duty.reference)
    else:
        relaying.provisioner(duty.processor).forget(duty.reference)


def _dead(duty_id: int) -> None:
    forgetting.hand_over(duty_id)


def try_again(duty_id: int) -> None:
    """An operator has mended what was wrong: ask once more."""
    duty = forgetting.get_duty(duty_id)
    with transaction.atomic():
        enqueue("tell_processor", f"forget:{duty_id}:{duty.tries}", duty_id=duty_id)


def announce(customer: int, public_id: str) -> None:
    """Tell the operator's own programs that a customer is gone, under the name that they know."""
    if outbox.listening(customer, "customer"):
        data = {"customer": public_id}
        outbox.announce(customer, "customer.erased", f"customer.erased:{public_id}", data, timezone.now())
