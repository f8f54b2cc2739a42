"""How passwords are kept: Argon2id with OWASP's first recommendation (19 MiB, 2 passes, 1 lane)."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2idHasher(Argon2PasswordHasher):
    """A password hashed with other figures is hashed anew at the next sign-in."""

    time_cost = 2
    memory_cost = 19_456
    parallelism = 1
