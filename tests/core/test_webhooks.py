"""The form of Standard Webhooks, and addresses that are refused."""

from __future__ import annotations

import pytest

from tollkeeper.core import webhooks


def test_the_signature_is_the_specs_own() -> None:
    """The example of the specification's reference libraries."""
    made = webhooks.sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "scheme"),
        ("http://shop.example/", "scheme"),
        ("ftp://shop.example/", "scheme"),
        ("https://user:pw@shop.example/", "user"),
        ("https:///path", "host"),
        ("https://bücher.example/", "host"),
        ("https://shop.example:99999/", "form"),
        ("https://shop.example/a b", "form"),
        ("https://shop.example/" + "x" * 500, "form"),
        ("https://localhost/", "private"),
        ("https://printer.local/", "private"),
        ("https://127.0.0.1/", "private"),
        ("https://10.1.2.3/", "private"),
        ("https://169.254.169.254/latest/meta-data", "private"),
        ("https://[::1]/", "private"),
        ("https://[::ffff:10.0.0.1]/", "private"),
        ("https://[64:ff9b::a00:1]/", "private"),
        ("https://[2002:a00:1::]/", "private"),
        ("https://[fe80::1]/", "private"),
        ("https://0.0.0.0/", "private"),
        ("https://224.0.0.1/", "private"),
    ],
)
def test_addresses_that_are_refused(url: str, code: str) -> None:
    with pytest.raises(webhooks.BadAddress) as no:
        webhooks.read_address(url)
    assert no.value.code == code


def test_the_parts_of_an_address() -> None:
    read = webhooks.read_address("https://Shop.example:8443/in?x=1#part")
    assert (read.host, read.port, read.target) == ("shop.example", 8443, "/in?x=1")
    assert read.place == "shop.example:8443"
    assert webhooks.read_address("https://[2606:4700::1]/").place == "[2606:4700::1]"
    near = webhooks.read_address("http://127.0.0.1:9/in", local=True)
    assert near.place == "127.0.0.1:9"


def test_tries_end_after_days() -> None:
    waits = [webhooks.wait_s(tries) for tries in range(1, 12)]
    assert waits[0] == 5
    assert waits[-1] is None
    assert sum(filter(None, waits)) > 3 * 86_400
