"""People and the customers they are. The e-mail lives in allauth's table, sealed; nowhere else."""

from __future__ import annotations

import secrets
import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils import timezone

from tollkeeper.accounts import resealing
from tollkeeper.kit.sealed import SealedTextField

# this module is imported before allauth's models, whose columns are to be sealed
resealing.connect()


class UserManager(BaseUserManager["User"]):
    """Makes people; the address is added by allauth."""

    def create_user(self, password: str | None = None, **fields: object) -> User:
        user = self.model(**fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person who can sign in. The id is the subject's id everywhere."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    language = models.CharField(max_length=8, default="en")
    nickname = SealedTextField(subject="id", max_length=40, null=True, blank=True)
    """Only if the person gives one; never made from the address."""
    created_at = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "id"
    objects = UserManager()

    def __str__(self) -> str:
        return f"subject-{self.id.hex[:12]}"


def _public_id() -> str:
    return "cus_" + secrets.token_hex(10)


class Customer(models.Model):
    """Who buys. ``public_id`` is opaque: it may cross to upstreams and providers.

    Once its person is erased a customer has no owner and another, random ``public_id``:
    orders and sums still hang together, and lead to nobody.
    """

    public_id = models.CharField(max_length=24, unique=True, default=_public_id, editable=False)
    owner = models.OneToOneField(User, on_delete=models.PROTECT, related_name="customer", null=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.public_id


class CacheEntry(models.Model):
    """The shared cache of an installation without Valkey (``DatabaseCache``): speed limits of forms.

    A model, so that `migrate` makes the table and the inventory knows it. Names are keyed hashes.
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return "cache entry"
