"""Opening one caller's address for an incident: by a named operator, for a named reason, in the trail."""

from __future__ import annotations

import uuid

from django.db import transaction

from tollkeeper.accounts import queries as accounts
from tollkeeper.core.addresses import Unreadable
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit, log_keys
from tollkeeper.kit.purposes import serving
from tollkeeper.usage import queries as usage

REASONS = ("abuse", "attack", "breach", "leaked_key", "authority")
"""What the purpose ``security`` covers; an authority's demand is a case of its own besides."""


def open_caller(request_id: str, *, operator: uuid.UUID, reason: str) -> str:
    """The address from which a call came; raises :class:`Refused`.

    The entry in the trail is written before the address is given out, in one transaction.
    """
    if reason not in REASONS:
        raise Refused(f"the reason must be one of {', '.join(REASONS)}")
    if not accounts.is_operator(operator):
        raise Refused("only an operator may open an address; make one with `tollkeeper operator add`")
    call = usage.find_sealed_address(request_id)
    if call is None:
        raise Refused(f"no call {request_id!r} is in the log; it is kept as long as the policy says")
    if call.sealed is None:
        raise Refused("this call was written without an address: the gate had no key of that day")
    with transaction.atomic(), serving("security"):
        audit.record(
            "log.address_opened",
            actor=audit.person(operator),
            object=f"usage.Call:{request_id}",
            fields=["sealed_address"],
            note=reason,
        )
        try:
            return log_keys.open_sealed_address(log_keys.CALLS, call.day, call.sealed)
        except log_keys.KeyGone:
            raise Refused("the key of that day is destroyed: nobody can open this address any more") from None
        except Unreadable:
            raise Refused("this address does not open: it was changed, or sealed for another day") from None
