"""Keys ("tokens") at New API and One API: status 200 means nothing, ``success`` does.

Options of the target: ``user`` (the account's number, sent as ``New-Api-User``) and
``dialect = "oneapi"`` for One API, whose create answers the key, whose pages count from
0 and whose search is by prefix. Quota is counted in units that the server names.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from tollkeeper.delivery.provisioners import (
    Door,
    Facts,
    Missing,
    Provisioner,
    Refused,
    Reply,
    Seen,
    Unsure,
    Wish,
)
from tollkeeper.delivery.provisioners._relay import Relay

PAGE = 100
ENABLED, DISABLED = 1, 2
TOKENS = "/api/token/"
ONE_QUOTA_PER_UNIT = 500_000
NEVER = -1


class NewAPI(Relay):
    """``/api/token/`` with the system access token of one account.

    A token's quota is only a cap: the account's wallet pays as well and is watched.
    """

    name = "newapi"
    reads_secret = True
    serves = frozenset({"chat", "responses", "messages"})
    keeps = frozenset({"cap", "ends_at", "models", "ip_ranges"})

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        self.one = self.target.options.get("dialect") == "oneapi"
        self.user = self.target.options.get("user", "")
        if self.one and "serves" not in self.target.options:
            self.serves = frozenset({"chat"})
        self._per_unit = 0

    def headers(self) -> Mapping[str, str]:
        """The access token, and whose it is: older releases insist."""
        named = {} if self.one or not self.user else {"New-Api-User": self.user}
        return {"Authorization": self.door.credential, **named}

    @property
    def per_unit(self) -> int:
        """Quota units in one dollar; an operator may have changed it, so it is asked."""
        if not self._per_unit:
            status = self._data(self.ask("GET", "/api/status"))
            self._per_unit = int(status.get("quota_per_unit") or ONE_QUOTA_PER_UNIT)
            self.step_micro = -(-1_000_000 // self._per_unit)
        return self._per_unit

    def probe(self) -> Facts:
        """See the protocol."""
        reply = self.ask("GET", "/api/status")
        status = self._data(reply)
        account = self._data(self.ask("GET", "/api/user/self"))
        wallet = self._micro(int(account["quota"]))
        version, skew = str(status.get("version", "")), self.skew(reply)
        return Facts(
            version, "USD", self.keeps, chooses_secret=False, reads_secret=True, wallet=wallet, skew_s=skew
        )

    def make(self, wish: Wish) -> tuple[str, str]:
        """Make the token. New API says neither number nor key: the label finds them."""
        data = self._data(self.ask("POST", TOKENS, {"name": wish.label, **self._terms(wish, used=0)}))
        if self.one and isinstance(data, dict) and data.get("id"):
            return str(data["id"]), f"sk-{data['key']}"
        return "", ""

    def secret_of(self, seen: Seen, wish: Wish) -> str:
        """Can be asked for again."""
        if self.one:
            row = self._data(self.ask("GET", f"{TOKENS}{seen.handle}"))
        else:
            row = self._data(self.ask("POST", f"{TOKENS}{seen.handle}/key", {}))
        key = str(row.get("key") or "")
        return f"sk-{key.removeprefix('sk-')}" if key else ""

    def write(self, seen: Seen, wish: Wish) -> None:
        """Write over what is there. Its quota is what is left, so it stands still meanwhile."""
        enabled = seen.enabled
        if enabled:
            self.set_enabled(seen.handle, enabled=False)
        used = self.read(seen.handle).used or 0
        body = {"id": int(seen.handle), "name": seen.label, **self._terms(wish, used=used)}
        self._data(self.ask("PUT", TOKENS, body))
        if enabled:
            self.set_enabled(seen.handle, enabled=True)

    def works(self, secret: str) -> bool:
        """A token may ask for its own billing facts."""
        return self.ask("GET", "/v1/dashboard/billing/subscription", secret=secret).status == 200

    def find(self, label: str) -> tuple[Seen, ...]:
        """By name, which need not be unique there; One API finds prefixes, too."""
        data = self._data(self.ask("GET", f"{TOKENS}search", query={"keyword": label}))
        rows = data.get("items", []) if isinstance(data, dict) else data
        found = [self._seen(row) for row in rows if row.get("name") == label]
        return tuple(sorted(found, key=lambda seen: int(seen.handle)))

    def read(self, handle: str) -> Seen:
        """See the protocol."""
        return self._seen(self._data(self.ask("GET", f"{TOKENS}{handle}")))

    def set_enabled(self, handle: str, *, enabled: bool) -> None:
        """See the base."""
        body = {"id": int(handle), "status": ENABLED if enabled else DISABLED}
        self._data(self.ask("PUT", TOKENS, body, query={"status_only": "1"}))

    def remove(self, handle: str) -> None:
        """See the base."""
        self._data(self.ask("DELETE", f"{TOKENS}{handle}"))

    def list(self, prefix: str) -> Iterator[Seen]:
        """See the protocol."""
        page = 0 if self.one else 1
        while True:
            query = {"p": str(page), "size": str(PAGE)}
            data = self._data(self.ask("GET", TOKENS, query=query))
            rows = data.get("items", []) if isinstance(data, dict) else data
            for row in rows:
                if str(row.get("name", "")).startswith(prefix):
                    yield self._seen(row)
            if not rows or (not self.one and page * PAGE >= int(data.get("total", 0))):
                return
            page += 1

    def _terms(self, wish: Wish, *, used: int) -> dict[str, Any]:
        left = 0 if wish.cap is None else max(0, self._quota(wish.cap) - self._quota(used))
        models, ranges = ",".join(wish.models), "\n".join(wish.ip_ranges)
        narrowed: dict[str, Any] = (
            {"models": models, "subnet": ",".join(wish.ip_ranges)}
            if self.one
            else {"model_limits_enabled": bool(models), "model_limits": models, "allow_ips": ranges}
        )
        return {
            "expired_time": NEVER if wish.ends_at is None else int(wish.ends_at.timestamp()),
            "remain_quota": left,
            "unlimited_quota": wish.cap is None,
            "group": self.target.options.get("group", ""),
            **narrowed,
        }

    def _seen(self, row: dict[str, Any]) -> Seen:
        used, left = int(row.get("used_quota") or 0), int(row.get("remain_quota") or 0)
        ends = int(row.get("expired_time") or NEVER)
        limits = row.get("models" if self.one else "model_limits") or ""
        limited = self.one or row.get("model_limits_enabled")
        ranges = str(row.get("subnet" if self.one else "allow_ips") or "").replace("\n", ",")
        made = row.get("created_time")
        return Seen(
            handle=str(row["id"]),
            label=str(row.get("name", "")),
            enabled=row.get("status") != DISABLED,  # used up or expired is nobody's stop
            cap=None if row.get("unlimited_quota") else self._micro(used + left),
            used=self._micro(used),
            as_of=self.clock(),
            ends_at=None if ends == NEVER else dt.datetime.fromtimestamp(ends, dt.UTC),
            models=tuple(filter(None, str(limits).split(","))) if limited else (),
            ip_ranges=tuple(filter(None, ranges.split(","))),
            created_at=dt.datetime.fromtimestamp(made, dt.UTC) if made else None,
        )

    def _quota(self, micro: int) -> int:
        return micro * self.per_unit // 1_000_000

    def _micro(self, quota: int) -> int:
        return quota * 1_000_000 // self.per_unit

    def _data(self, reply: Reply) -> Any:
        answer = reply.json()
        if not isinstance(answer, dict) or "success" not in answer:
            raise Unsure(f"an answer with status {reply.status} does not say whether it succeeded")
        if answer["success"] is True:
            return answer.get("data")
        text = str(answer.get("message", ""))
        if "record not found" in text or "not found" in text:
            raise Missing(text)
        raise Refused("bad_request", text)


def build(door: Door) -> Provisioner:
    """A provisioner for the account behind this door."""
    return NewAPI(door)
