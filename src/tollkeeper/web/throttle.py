"""How often somebody may do a thing: counted per address in the shared cache, under hashed names."""

from __future__ import annotations

import time

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest


def allow(request: HttpRequest, action: str, amount: int, window_s: int) -> bool:
    """Count this request; False beyond ``amount`` in the running window of ``window_s`` seconds."""
    address = get_adapter(request).get_client_ip(request)
    name = f"throttle:{action}:{address}:{int(time.time()) // window_s}"
    if cache.add(name, 1, window_s):
        return amount >= 1
    try:
        return cache.incr(name) <= amount
    except ValueError:  # it ran out between the two
        return True
