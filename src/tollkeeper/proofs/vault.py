"""The statutory vault: an invoice is made out to a planted person who is then erased."""

from __future__ import annotations

from django.utils import timezone

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import purchase, receipts, statutory
from tollkeeper.kit import sealed
from tollkeeper.payments import buyers
from tollkeeper.payments import queries as payments
from tollkeeper.payments import statutory as vault
from tollkeeper.privacy import erasing
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.planting import Canary, planted
from tollkeeper.proofs.probe import Evidence, probe, require
from tollkeeper.sales import queries as sales


def _sold() -> tuple[str, str] | None:
    """A plan that is bought once and costs something, with its price."""
    for plan in catalog.list_plans():
        for price in plan.prices if plan.kind == "pack" else ():
            if price.amount_minor:
                return plan.slug, price.id
    return None


def _invoiced(canary: Canary, plan: str, price: str) -> payments.Receipt:
    now = timezone.now()
    buyers.set_buyer(
        canary.customer_id, name=canary.needles["nickname"], address=canary.needles["ticket"],
        country="DE", now=now,
    )  # fmt: skip
    number = purchase.start_order(canary.customer_id, plan, price)
    order = sales.find_order(number)
    assert order is not None
    receipts.invoice_for(order.order_id, now)
    return payments.get_receipt(canary.customer_id, number)


@probe("G-59", "T-33")
def statutory_vault(ctx: Context) -> Evidence:
    """What an invoice said of an erased person opens under its fiscal year's key, and only for an audit."""
    years = {str(one.year): one.entries for one in vault.years()}
    unread = [one.year for one in vault.years() if not one.readable]
    require(not unread, "entries stand in the vault whose year has no key any more", years=unread)
    sold = _sold()
    if sold is None:
        return {"entries_by_year": years, "planted": "nothing is sold here that is paid once"}
    with sealed.on_trial(), planted() as canary:
        invoice = _invoiced(canary, *sold)
        sums = (invoice.total_minor, invoice.tax_minor, invoice.sha256)
        erasing.erase_rows(canary.subject)
        hits = canary.hits()
        after = payments.document_by_id(invoice.document_id)
        require(not hits, "an erased buyer is still to be found", hits=hits)
        require(
            (after.total_minor, after.tax_minor, after.sha256) == sums,
            "an erasure changed an invoice",
        )
        require(not buyers.buyer_of(invoice.document_id), "the buyer stands outside the vault")
        kept = vault.open_entry(invoice.document_id)
        require(kept["name"] == canary.needles["nickname"], "the vault lost the buyer")
        try:
            statutory.list_books("A-00000000")
        except Refused:
            closed = True
        else:
            closed = False
        require(closed, "the vault opens without a case")
    return {
        "entries_by_year": years,
        "sealed_under": "the key of the fiscal year",
        "sums_unchanged": True,
        "found_outside_the_vault": 0,
        "opens_without_a_case": False,
        "days": ctx.policy.keep["tax"].days,
    }
