"""The environment, read once. Every setting that a process takes from outside is stated here."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from tollkeeper.core.refusal import Refused

SECRETS = {
    "django": 50,
    "kek": 32,
    "index": 32,
    "pepper": 32,
    "webhook": 32,
    "gate": 32,
    "audit": 32,
    "backup": 32,
}
"""Name and length in bytes of every secret of an installation."""


class BadEnvironment(Refused):
    """A setting from outside cannot be used; the text says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Environment:
    """``home`` holds all state; addresses are whole URLs without a final slash."""

    home: Path
    shop: Path
    port: int
    live: bool
    database_url: str
    redis_url: str
    public_url: str
    gate_url: str
    stripe_api: str
    stand_ins: str = ""
    """``recipient=host:port``, with commas between: relays that are played here."""
    stripe_key: str = ""
    stripe_secrets: tuple[str, ...] = ()
    bank_account: tuple[str, ...] = ()
    smtp_url: str = ""
    mail_from: str = ""
    vies_api: str = ""
    mailbox_url: str = ""
    """Where people write to: ``imaps://user:password@host:993/INBOX`` or ``maildir:/path``."""
    disk_encrypted: bool = False
    """Whether the operator says that the disks are encrypted: ``prove`` then has to see it."""

    @property
    def keystore(self) -> Path:
        """The file of per-subject keys: never part of a dump of the book."""
        return Path(os.environ.get("TOLLKEEPER_KEYSTORE", self.home / "keystore.sqlite3"))

    @property
    def book(self) -> Path:
        """The SQLite file of the book, where no ``DATABASE_URL`` is given."""
        return self.home / "book.sqlite3"

    def secret(self, name: str) -> bytes:
        """The secret called ``name``; raises :class:`BadEnvironment` if there is none yet."""
        try:
            return (self.home / "secrets" / name).read_bytes()
        except FileNotFoundError:
            raise BadEnvironment(
                f"the secret {name!r} is missing in {self.home / 'secrets'}; run `tollkeeper migrate`"
            ) from None

    def secrets(self, name: str) -> list[bytes]:
        """The secret called ``name``; while it is being rotated, its successor or predecessor after it."""
        found = [self.secret(name)]
        for suffix in (".next", ".old"):
            try:
                found.append((self.home / "secrets" / f"{name}{suffix}").read_bytes())
            except FileNotFoundError:
                continue
        return list(dict.fromkeys(found))

    def stamp(self) -> tuple[int, ...]:
        """Changes whenever a key for sealing is put in place, succeeded or destroyed."""
        made = []
        for name in ("kek", "kek.next", "kek.old", "index", "index.next", "index.old"):
            try:
                made.append((self.home / "secrets" / name).stat().st_mtime_ns)
            except FileNotFoundError:
                made.append(0)
        return tuple(made)


def _shop_path(name: str) -> Path:
    direct = Path(name)
    if "/" in name or direct.is_dir():
        return direct.resolve()
    return (repository() / "shops" / name).resolve()


def repository() -> Path:
    """The folder that holds ``shops/`` and ``samples/``."""
    return Path(__file__).resolve().parents[3]


def read() -> Environment:
    """Read the environment; raises :class:`BadEnvironment` with one sentence."""
    home = Path(os.environ.get("TOLLKEEPER_HOME", "var")).resolve()
    text = os.environ.get("TOLLKEEPER_PORT", "8000")
    if not text.isdigit() or not 1 <= int(text) <= 65_500:
        raise BadEnvironment(f"TOLLKEEPER_PORT must be a port from 1 to 65500, not {text!r}")
    port = int(text)
    return Environment(
        home=home,
        shop=_shop_path(os.environ.get("TOLLKEEPER_SHOP", "twtapi")),
        port=port,
        live=os.environ.get("TOLLKEEPER_LIVE", "") == "1",
        database_url=os.environ.get("DATABASE_URL", ""),
        redis_url=os.environ.get("REDIS_URL", ""),
        public_url=os.environ.get("TOLLKEEPER_URL", f"http://127.0.0.1:{port}"),
        gate_url=os.environ.get("TOLLKEEPER_GATE_URL", f"http://127.0.0.1:{port + 1}"),
        stripe_api=os.environ.get("STRIPE_API_BASE", ""),
        stand_ins=os.environ.get("TOLLKEEPER_STAND_INS", ""),
        stripe_key=os.environ.get("STRIPE_API_KEY", ""),
        # name, IBAN and BIC with a bar between, for payment by transfer
        bank_account=tuple(part.strip() for part in os.environ.get("TOLLKEEPER_BANK", "").split("|")),
        # two, with a comma between, while the endpoint's secret is being replaced
        stripe_secrets=tuple(filter(None, os.environ.get("STRIPE_WEBHOOK_SECRET", "").split(","))),
        smtp_url=os.environ.get("TOLLKEEPER_SMTP", ""),
        mail_from=os.environ.get("TOLLKEEPER_MAIL_FROM", ""),
        vies_api=os.environ.get("TOLLKEEPER_VIES", ""),
        mailbox_url=os.environ.get("TOLLKEEPER_MAILBOX", ""),
        disk_encrypted=_encrypted(os.environ.get("TOLLKEEPER_DISK", "")),
    )


def _encrypted(word: str) -> bool:
    if word not in ("", "encrypted"):
        raise BadEnvironment(f"TOLLKEEPER_DISK must be 'encrypted' or empty, not {word!r}")
    return bool(word)


def create_secrets(home: Path) -> None:
    """Make the secrets that do not exist yet, readable by their owner only."""
    folder = home / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, size in SECRETS.items():
        path = folder / name
        if not path.exists():
            part = folder / f".{name}.part"
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(size))
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
