"""The book of money checked against itself, by command and every night."""

from __future__ import annotations

import logging

from django.db import transaction

from tollkeeper.kit.jobs import Context, GiveUp, schedule
from tollkeeper.payments import checking as payments
from tollkeeper.payments.checking import MoneyFault
from tollkeeper.sales import checking as sales

log = logging.getLogger("tollkeeper.money")


@transaction.atomic
def check_money() -> list[MoneyFault]:
    """Every fault in orders, payments and documents; an empty list is a sound book. Amounts in minor units.

    What was captured and refunded is what the rows say, and never more goes back than came; what
    stands invoiced is what was kept; numbers have no gaps and documents have not changed; nothing
    was handed over unpaid; paid periods do not overlap.
    """
    return [
        *payments.faults(),
        *(MoneyFault("unpaid_delivery", f"order {number}", 0, 1) for number in sales.unpaid_deliveries()),
        *(
            MoneyFault("periods_overlap", f"subscription {name}", 0, number)
            for name, number in sales.overlapping_periods()
        ),
    ]


@schedule("check_money", every_s=24 * 3600, purpose="order", attempts=1)
def check_money_nightly(context: Context) -> None:
    """A faulty book is a dead job, which the desk shows; ``tollkeeper book check`` names every fault."""
    faults = check_money()
    for fault in faults[:20]:
        log.error("the book of money has a fault: %s", fault.code)
    if faults:
        raise GiveUp(f"{len(faults)}_faults_in_the_money")
