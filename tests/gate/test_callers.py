"""Where calls come from: sealed by the gate to the day's key, and written nowhere else."""

from __future__ import annotations

import time

from tests.gate.stage import Stage, request
from tollkeeper.core.addresses import DAY_US, day_of, open_address, public_of
from tollkeeper.core.journal import Admitted, Caller
from tollkeeper.gate.callers import AGREEMENT_US, LOG, Callers, sealed_address

PRIVATE = b"k" * 32
NOON = 20_000 * DAY_US + DAY_US // 2


def test_the_gate_agrees_anew_each_hour_and_with_each_key() -> None:
    callers = Callers()
    callers.renew(NOON)
    assert callers.agreement is None, "without a key of the day nothing is written"
    callers.use_keys([(20_000, public_of(PRIVATE)), (20_001, public_of(b"n" * 32))])
    callers.renew(NOON)
    first = callers.agreement
    callers.renew(NOON + 1_000_000)
    assert first is not None
    assert callers.agreement is first
    callers.renew(NOON + AGREEMENT_US)
    assert callers.agreement is not first
    callers.renew(NOON + DAY_US)
    assert callers.agreement is not None
    assert callers.agreement.day == 20_001
    callers.renew(NOON + 2 * DAY_US)
    assert callers.agreement is None


def test_what_has_no_address_has_none_sealed() -> None:
    callers = Callers()
    callers.use_keys([(20_000, public_of(PRIVATE))])
    callers.renew(NOON)
    assert callers.agreement is not None
    for address in ("", "/run/gate.sock"):
        assert sealed_address(callers.agreement, address) == b""
    sealed = sealed_address(callers.agreement, "2001:db8::1")
    assert open_address(LOG, 20_000, PRIVATE, sealed) == "2001:db8::1"


def test_every_admission_has_its_caller_and_connections_differ(stage: Stage) -> None:
    stage.publish()
    today = day_of(time.time_ns() // 1000)
    for day in (today, today + 1):
        stage.sql("INSERT INTO kit_logkey VALUES ('calls', ?, ?)", day, public_of(PRIVATE))
    customer, key = stage.customer(100)
    gate = stage.run_gate("gate-callers")
    gate.talk(request(key, "/one") * 2)
    gate.talk(request(key, "/two"))
    gate.stop()
    records = stage.records("gate-callers")
    admitted = [r.call_id for r in records if isinstance(r, Admitted) and r.customer_id == customer]
    callers = [r for r in records if isinstance(r, Caller)]
    assert [r.call_id for r in callers] == admitted
    assert len(admitted) == 3
    assert callers[0].sealed == callers[1].sealed, "sealed once for a connection"
    assert callers[0].sealed != callers[2].sealed
    day = today if today == day_of(time.time_ns() // 1000) else today + 1
    assert {open_address(LOG, day, PRIVATE, r.sealed) for r in callers} == {"127.0.0.1"}
    journal = b"".join(path.read_bytes() for path in (stage.home / "journal" / "gate-callers").glob("*.log"))
    assert b"127.0.0.1" not in journal
    assert bytes([0xFF, 0xFF, 127, 0, 0, 1]) not in journal
