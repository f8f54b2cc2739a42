"""A VAT number moves the tax once the register has said that it is valid, over the real way out."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest
from django.conf import settings

from tests.services.money import Till
from tollkeeper.flows import taxes
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit.trail.models import Disclosure
from tollkeeper.payments import buyers


class Register(BaseHTTPRequestHandler):
    said: ClassVar[Any] = {"valid": True}
    asked: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Register.asked.append(json.loads(body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(Register.said).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def register(till: Till, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Register]]:
    server = HTTPServer(("127.0.0.1", 0), Register)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    place = f"127.0.0.1:{server.server_port}"
    monkeypatch.setattr(settings, "VIES_API", f"http://{place}")
    monkeypatch.setitem(settings.EGRESS_STAND_INS, "vies", frozenset({place}))
    Register.asked, Register.said = [], {"valid": True}
    load_policy(settings.ENV.shop / "policy.toml")
    yield Register
    server.shutdown()
    thread.join()
    server.server_close()


def save(customer: int, vat_id: str = "ATU12345678") -> None:
    taxes.save_buyer(customer, name="Planted GmbH", address="Street 1", country="AT", vat_id=vat_id)


@pytest.mark.parametrize("valid", [True, False])
def test_the_register_decides(till: Till, register: type[Register], valid: bool) -> None:
    customer = till.customer()
    register.said = {"valid": valid}
    save(customer)
    assert buyers.tax_facts(customer) == ("AT", False)
    till.work()
    assert register.asked == [{"countryCode": "AT", "vatNumber": "U12345678"}]
    assert buyers.tax_facts(customer) == ("AT", valid)
    till.work()
    save(customer)  # the same number again is not asked for again
    till.work()
    assert len(register.asked) == 1
    (row,) = Disclosure.objects.filter(processor="vies")
    assert (row.outcome, row.fields) == ("sent", "countryCode,vatNumber")
    assert row.subject is not None


def test_it_is_asked_again_until_it_answers(till: Till, register: type[Register]) -> None:
    customer = till.customer()
    register.said = {"errorWrappers": [{"error": "MS_UNAVAILABLE"}]}
    save(customer)
    assert till.work() == ["check_vat:ready"]
    assert buyers.tax_facts(customer) == ("AT", False)
    register.said = {"valid": True}
    till.wake()
    till.work()
    assert buyers.tax_facts(customer) == ("AT", True)


def test_an_answer_about_an_older_number_says_nothing(till: Till, register: type[Register]) -> None:
    customer = till.customer()
    save(customer)
    old = buyers.vat_to_check(customer)
    save(customer, "ATU99999999")
    assert not buyers.note_vat(customer, True, taxes.timezone.now(), number=old)
    assert buyers.tax_facts(customer) == ("AT", False)


def test_nobody_is_asked_where_money_is_not_real(till: Till) -> None:
    save(till.customer())
    assert till.jobs("check_vat") == 0
