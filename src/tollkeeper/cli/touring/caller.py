"""The stranger's program: calls the API through the gate with a key, and counts what came back."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import requests
from urllib3.exceptions import NewConnectionError

from tollkeeper.cli.touring.browser import Stuck, patiently

NOT_YET = {401, 502, 503, 504}
"""A key that travels to the gate, a gate that starts again: worth another try."""
_NEIGHBOURS = 4
_BURST_S = 30.0
_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of the gate, and how long it took."""

    response: requests.Response
    ms: float


def _nobody_there() -> Answered:
    response = requests.Response()
    response.status_code = 503
    return Answered(response, 0.0)


_UNREACHED = _nobody_there()
"""Nobody listened: the call was never sent."""


def _was_sent(error: requests.RequestException) -> bool:
    cause = error.args[0] if error.args else None
    return not isinstance(getattr(cause, "reason", None), NewConnectionError)


def price_book(site: str) -> dict[str, Any]:
    """What is sold at a site, as any program may read it; raises :class:`Stuck`."""
    address = f"{site}/docs/prices.json"
    session = requests.Session()
    session.trust_env = False

    def once() -> requests.Response | None:
        try:
            answer = session.get(address, timeout=10)
        except requests.RequestException:
            return None
        return None if answer.status_code in NOT_YET else answer

    answer = patiently(once, f"the price book at {address}")
    if answer.status_code != 200:
        raise Stuck(f"the price book at {address} cannot be read: {answer.status_code}")
    book: dict[str, Any] = answer.json()
    return book


class Caller:
    """Counts ``served`` calls (2xx) and ``lost`` ones: sent, with no answer."""

    def __init__(self, address: str, key: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=_NEIGHBOURS, max_retries=0))
        self._session.headers.update({"Authorization": f"Bearer {key}", "User-Agent": "tour/1"})
        self.served = 0
        self.lost = 0

    def _send(self) -> Answered | None:
        """The answer; None if the connection broke after the call was sent."""
        began = time.perf_counter()
        try:
            response = self._session.get(self._address, timeout=30)
        except requests.RequestException as error:
            return None if _was_sent(error) else _UNREACHED
        return Answered(response, 1000 * (time.perf_counter() - began))

    def _count(self, answered: Answered | None) -> Answered | None:
        if answered is None:
            self.lost += 1
        elif answered.response.status_code == 200:
            self.served += 1
        return answered

    def call(self) -> Answered:
        """One served call, with patience for a gate that starts again; raises :class:`Stuck` otherwise."""
        last: list[Answered] = []

        def once() -> Answered | None:
            answered = self._count(self._send())
            last[:] = [answered] if answered else last
            refused = answered is None or answered.response.status_code in NOT_YET
            return None if refused else answered

        try:
            answered = patiently(once, "an answer of the gate")
        except Stuck:
            raise Stuck(
                f"the gate does not serve the call: {_told(last[0]) if last else 'no answer'}"
            ) from None
        if not answered.response.ok:
            raise Stuck(f"the gate refused the call: {_told(answered)}")
        return answered

    def burst(self) -> Answered:
        """Call as fast as it goes until the gate says 429; that answer."""
        deadline = time.monotonic() + _BURST_S
        with ThreadPoolExecutor(_NEIGHBOURS) as neighbours:
            while time.monotonic() < deadline:
                wave = [neighbours.submit(self._send) for _ in range(_NEIGHBOURS)]
                answers = [self._count(sent.result()) for sent in wave]
                for answered in answers:
                    if answered is not None and answered.response.status_code == 429:
                        return answered
                if _UNREACHED in answers:
                    time.sleep(_PAUSE_S)
        raise Stuck(f"no limit met within {_BURST_S:.0f} s and {self.served} calls")


def _told(answered: Answered) -> str:
    return f"{answered.response.status_code} {answered.response.text[:200]}"


def mistakes_of_refusal(response: requests.Response) -> list[str]:
    """What is wrong with a 429; empty if nothing.

    RFC 9457, RFC 9110 §10.2.3 and draft-ietf-httpapi-ratelimit-headers say how it should be.
    """
    found = []
    headers = response.headers
    if not headers.get("Retry-After", "").isdigit() or int(headers["Retry-After"]) < 1:
        found.append(f"Retry-After is {headers.get('Retry-After')!r}")
    found += [f"no {name}" for name in ("RateLimit", "RateLimit-Policy") if not headers.get(name)]
    if headers.get("Content-Type", "").partition(";")[0] != "application/problem+json":
        found.append(f"Content-Type is {headers.get('Content-Type')!r}")
    try:
        problem = response.json()
    except ValueError:
        return [*found, "the body is not JSON"]
    wanted = {"status": 429, "code": "rate_limited", "origin": "gate"}
    found += [
        f"{name} is {problem.get(name)!r}" for name, value in wanted.items() if problem.get(name) != value
    ]
    found += [f"no {name}" for name in ("type", "title", "request_id") if not problem.get(name)]
    return found
