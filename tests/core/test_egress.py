"""The rules of the door, without a network."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.egress import Message, Processor, field_names, is_local, judge

TODAY = dt.date(2026, 11, 23)
STRIPE = Processor(
    name="stripe",
    hosts=frozenset({"api.stripe.com"}),
    fields=frozenset({"amount", "metadata.order", "line_items.*"}),
    categories=("order",),
    purposes=frozenset({"order"}),
    contract_until=TODAY,
    transfer_until=None,
)
MESSAGE = Message("stripe", "order", "api.stripe.com", frozenset({"amount"}), 10)


def reason(message: Message = MESSAGE, processor: Processor = STRIPE, today: dt.date = TODAY) -> str:
    refusal = judge({"stripe": processor}, message, today)
    return "" if refusal is None else refusal.reason


def test_a_registered_message_may_leave():
    assert reason() == ""
    assert (
        reason(replace(MESSAGE, fields=frozenset({"line_items.price_data.currency", "metadata.order"}))) == ""
    )


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"processor": "nobody"}, "unknown"),
        ({"host": "api.stripe.com.evil.example"}, "host"),
        ({"host": "api.stripe.com:444"}, "host"),
        ({"purpose": "support"}, "purpose"),
        ({"fields": frozenset({"amount", "metadata.nickname"})}, "field"),
        ({"fields": frozenset({"line_items"})}, "field"),
        ({"encrypted": False}, "clear"),
    ],
)
def test_each_rule_refuses_alone(changed, word):
    assert reason(replace(MESSAGE, **changed)) == word


def test_a_contract_holds_to_its_last_day_and_not_a_day_longer():
    assert reason(today=TODAY) == ""
    assert reason(today=TODAY + dt.timedelta(days=1)) == "contract"
    late = replace(STRIPE, contract_until=None, transfer_until=TODAY - dt.timedelta(days=1))
    assert reason(processor=late) == "transfer"


def test_without_a_register_nothing_leaves():
    refusal = judge({}, MESSAGE, TODAY)
    assert refusal is not None
    assert refusal.reason == "unknown"


def test_a_stand_in_on_this_machine_may_be_reached_in_clear():
    local = replace(STRIPE, hosts=frozenset({"127.0.0.1:8002"}))
    assert reason(replace(MESSAGE, host="127.0.0.1:8002", encrypted=False), local) == ""
    assert is_local("[::1]")
    assert is_local("localhost:1")
    assert not is_local("127.0.0.1.example:80")


def test_names_of_form_and_json_fields_are_the_same():
    form = urlencode(
        [("line_items[0][price_data][currency]", "eur"), ("expand[]", "x"), ("metadata[order]", "")]
    )
    tree = {"line_items": [{"price_data": {"currency": "eur"}}], "expand": ["x"], "metadata": {"order": None}}
    names = {"line_items.price_data.currency", "expand", "metadata.order"}
    assert field_names("application/x-www-form-urlencoded; charset=utf-8", form.encode()) == names
    assert field_names("application/json", json.dumps(tree).encode()) == names
    assert field_names("", b"", form) == names


def test_what_cannot_be_read_is_one_field_that_must_be_allowed():
    assert field_names("multipart/form-data", b"--x") == {"body"}
    assert field_names("application/json", b"{broken") == {"body"}
    assert field_names("application/json", b'"jane@doe.example"') == {"body"}
    assert field_names("", b"") == frozenset()


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.text(max_size=3), max_size=4))
def test_no_field_of_a_form_goes_unnoticed(form):
    assert field_names("application/x-www-form-urlencoded", urlencode(form).encode()) == set(form)
