"""After data went to an authority the person is told, at once or when the gag ends."""

from __future__ import annotations

from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.kit.jobs import Context, schedule
from tollkeeper.privacy import authorities


@schedule("tell_of_authorities", every_s=6 * 3600, purpose="notice")
def tell_of_authorities(context: Context) -> None:
    """Write to everybody whose data was given out and who may know."""
    for number, subject in authorities.to_be_told(timezone.now().date()):
        context.call(number, _tell, number, subject)


def _tell(number: str, subject: object) -> str:
    customer = accounts.customer_of(subject)  # type: ignore[arg-type]
    sent = customer is not None and account_verbs.write_to(customer, "authority_notice", {"number": number})
    authorities.note_told(number)
    return "sent" if sent else "nobody"
