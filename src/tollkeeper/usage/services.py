"""Verbs that write units and calls. Each runs inside the caller's transaction, or makes one."""

from tollkeeper.usage.alerts import raise_alerts, raise_endings
from tollkeeper.usage.carrying import carry_forward
from tollkeeper.usage.checking import Fault, check_book, rebuild
from tollkeeper.usage.codes import BadCode, cancel_batch, make_codes, redeem
from tollkeeper.usage.grants import (
    claw_back,
    expire_grants,
    forgive,
    issue_grant,
    left_of,
    restore_claw,
    void_grant,
)
from tollkeeper.usage.intake import Taken, put_aside, take_in
from tollkeeper.usage.lapse import lapse_leases
from tollkeeper.usage.leftovers import StillLent, carry_over
from tollkeeper.usage.overage import change_cap, close_allowance, open_allowance

__all__ = [
    "BadCode",
    "Fault",
    "StillLent",
    "Taken",
    "cancel_batch",
    "carry_forward",
    "carry_over",
    "change_cap",
    "check_book",
    "claw_back",
    "close_allowance",
    "expire_grants",
    "forgive",
    "issue_grant",
    "lapse_leases",
    "left_of",
    "make_codes",
    "open_allowance",
    "put_aside",
    "raise_alerts",
    "raise_endings",
    "rebuild",
    "redeem",
    "restore_claw",
    "take_in",
    "void_grant",
]
