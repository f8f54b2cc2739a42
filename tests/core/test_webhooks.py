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


SECRET = webhooks.secret_text(b"known to two")


def _headers(at: int = 1000, secret: str = SECRET) -> dict[str, str]:
    made = webhooks.sign(secret, "msg_1", at, b"body")
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": made}


def test_what_is_signed_now_is_believed() -> None:
    webhooks.verify(SECRET, _headers(), b"body", 1000 + webhooks.TOLERANCE_S)
    webhooks.verify(SECRET, _headers(), b"body", 1000 - webhooks.TOLERANCE_S)
    several = {**_headers(), "webhook-signature": f"v1,b2xk {_headers()['webhook-signature']}"}
    webhooks.verify(SECRET, several, b"body", 1000)
    webhooks.verify("as it is", _headers(secret="as it is"), b"body", 1000)


@pytest.mark.parametrize(
    ("headers", "body", "now", "secret"),
    [
        ({}, b"body", 1000, SECRET),
        (_headers(), b"another", 1000, SECRET),
        (_headers(), b"body", 1301, SECRET),
        (_headers(), b"body", 699, SECRET),
        (_headers(), b"body", 1000, webhooks.secret_text(b"another")),
        (_headers(secret=""), b"body", 1000, ""),
        ({**_headers(), "webhook-id": "msg_2"}, b"body", 1000, SECRET),
        ({**_headers(), "webhook-timestamp": "-1"}, b"body", 1000, SECRET),
        ({**_headers(), "webhook-timestamp": "\u0661000"}, b"body", 1000, SECRET),
        ({**_headers(), "webhook-signature": "v1,\u00e9"}, b"body", 1000, SECRET),
    ],
)
def test_what_is_not_is_refused(headers: dict[str, str], body: bytes, now: int, secret: str) -> None:
    with pytest.raises(webhooks.BadSignature):
        webhooks.verify(secret, headers, body, now)


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
        ("https://example.org/4242424242424242", "form"),
        ("https://example.org/3782-822463-10005", "form"),
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
