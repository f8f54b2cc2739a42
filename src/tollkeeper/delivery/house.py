"""Our own gate as a place where keys are made: rows of this app, behind the provisioner ``gate_key``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from django.utils import timezone

from tollkeeper.core.terms import decode_key_terms
from tollkeeper.delivery.directory import push
from tollkeeper.delivery.keys import GONE, create_key, refresh_terms, resume_keys, revoke_key, suspend_keys
from tollkeeper.delivery.models import Delivery, Key, KeyEntry, Suspension
from tollkeeper.delivery.provisioners import Missing, Seen, Wish

OVER = "plan_over"
"""Reason of a suspension: nothing that was delivered is still live."""
STOPPED = "provisioner"
"""Reason of a suspension that somebody asked this house for."""


class AtHome:
    """See ``provisioners.House``. A label is the alias of a delivery; ``title`` names a new key."""

    def __init__(self, title: str = "") -> None:
        self.title = title

    def provide(self, wish: Wish) -> tuple[str, str]:
        """The customer's key in this unit, raised, or a new one; its text only if it is new."""
        delivery = Delivery.objects.select_for_update().filter(alias=wish.label).first()
        if delivery is None:
            raise Missing(wish.label)
        if delivery.key_id is not None:
            return str(delivery.key_id), ""
        owner, unit = delivery.customer_id, delivery.unit
        over = Suspension.objects.filter(customer_id=owner, reason=OVER, key__unit=unit)
        for key_id in over.values_list("key_id", flat=True):
            resume_keys(owner, OVER, key_id=key_id)
        mine = Key.objects.filter(customer_id=owner, unit=unit, test=False).exclude(state__in=GONE)
        key = mine.order_by("pk").first()
        if key is None:
            terms = decode_key_terms(delivery.terms)
            made, text = create_key(owner, name=self.title or terms.plan, terms=terms)
            delivery.key_id = made
            secret = text.text
        else:
            delivery.key_id = key.pk
            secret = ""
            refresh_terms(owner, unit)
        delivery.save(update_fields=["key"])
        return str(delivery.key_id), secret

    def read(self, handle: str) -> Seen:
        """A key as the gates see it."""
        entry = KeyEntry.objects.select_related("key").filter(pk=int(handle)).first()
        if entry is None or entry.state == "revoked":
            raise Missing(handle)
        terms = decode_key_terms(entry.terms)
        minute = (limit.amount for limit in terms.limits if limit.unit == "requests" and limit.window_s == 60)
        alias = entry.key.deliveries.order_by("pk").values_list("alias", flat=True).first()
        return Seen(
            handle=handle,
            label=alias or "",
            enabled=entry.state == "active",
            cap=None,
            used=None,
            as_of=timezone.now(),
            ends_at=entry.expires_at,
            models=terms.models,
            ip_ranges=terms.ip_ranges,
            requests_per_minute=min(minute, default=0),
            created_at=entry.key.created_at,
        )

    def find(self, label: str) -> Seen | None:
        """The key of a delivery, if it has one that is not gone."""
        key_id = Delivery.objects.filter(alias=label).values_list("key_id", flat=True).first()
        try:
            return None if key_id is None else self.read(str(key_id))
        except Missing:
            return None

    def set(self, handle: str, *, enabled: bool) -> None:
        """Stop a key or let it go on."""
        key = self._key(handle)
        verb = resume_keys if enabled else suspend_keys
        verb(key.customer_id, STOPPED, key_id=key.pk)

    def change(self, handle: str, *, ends_at: dt.datetime | None) -> None:
        """Set the end of a key; what it may use is the ledger's."""
        key = self._key(handle)
        key.expires_at = ends_at
        key.save(update_fields=["expires_at"])
        push([key])

    def remove(self, handle: str) -> None:
        """Revoke a key for good."""
        key = Key.objects.filter(pk=int(handle)).first()
        if key is not None:
            revoke_key(key.pk, key.customer_id)

    def each(self, prefix: str) -> Iterator[Seen]:
        """Keys of all deliveries whose alias begins so."""
        aliases = Delivery.objects.filter(alias__startswith=prefix, key__isnull=False)
        for alias in aliases.order_by("pk").values_list("alias", flat=True).iterator():
            seen = self.find(alias)
            if seen is not None and seen.label == alias:
                yield seen

    def _key(self, handle: str) -> Key:
        key = Key.objects.select_for_update().filter(pk=int(handle)).exclude(state__in=GONE).first()
        if key is None:
            raise Missing(handle)
        return key
