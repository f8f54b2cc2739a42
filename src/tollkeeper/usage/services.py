"""Verbs that write units and calls. Each runs inside the caller's transaction, or makes one."""

from tollkeeper.usage.checking import Fault, check_book, rebuild
from tollkeeper.usage.grants import claw_back, expire_grants, forgive, issue_grant, restore_claw, void_grant
from tollkeeper.usage.intake import Taken, put_aside, take_in
from tollkeeper.usage.lapse import lapse_leases

__all__ = [
    "Fault",
    "Taken",
    "check_book",
    "claw_back",
    "expire_grants",
    "forgive",
    "issue_grant",
    "lapse_leases",
    "put_aside",
    "rebuild",
    "restore_claw",
    "take_in",
    "void_grant",
]
