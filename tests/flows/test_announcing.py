"""Programs are told what happened: signed, in order, again until it arrives, and never near home."""

from __future__ import annotations

import datetime as dt
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from tests.services.money import Till
from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as accounts_verbs
from tollkeeper.core.webhooks import BadAddress, sign
from tollkeeper.delivery import services as delivery
from tollkeeper.flows import announcing, refund
from tollkeeper.kit import egress, egress_pinned, purposes
from tollkeeper.kit.trail.models import Disclosure
from tollkeeper.outbox import queries, services
from tollkeeper.outbox.models import Endpoint, Event, Post

KINDS = ("order", "payment", "key", "quota")


class Receiver(BaseHTTPRequestHandler):
    """Answers with what the test wants and keeps what came."""

    def do_POST(self) -> None:
        hub: Any = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        hub.seen.append((dict(self.headers), body))
        self.send_response(hub.answers.pop(0) if hub.answers else 204)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), Receiver)
    server.seen, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def listen(hub: Any, customer: int | None, kinds: tuple[str, ...] = KINDS) -> str:
    url = f"http://127.0.0.1:{hub.server_port}/in"
    owner = accounts.get_customer(customer).owner_id if customer else None
    return services.add_endpoint(customer, owner, url, kinds, local=True)


def tell() -> None:
    for _ in range(5):
        announcing.tell_programs(threading.Event())


def told(hub: Any) -> list[str]:
    return [json.loads(body)["type"] for _, body in hub.seen]


def test_a_purchase_and_its_refund_are_told_in_order(till: Till, hub: Any) -> None:
    customer = till.customer()
    number = listen(hub, customer)
    tell()
    order = till.bought(customer)
    tell()
    refund.request_refund(order)
    till.work()
    till.deliver()
    tell()
    kinds = told(hub)
    assert kinds[:3] == ["order.paid", "payment.succeeded", "order.delivered"]
    assert {"order.refunded", "payment.refunded", "key.active"} <= set(kinds)
    secret = queries.get_endpoint(customer, number).secret
    for headers, body in hub.seen:
        made = sign(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
        assert headers["webhook-signature"] == made
    facts = json.loads(hub.seen[0][1])["data"]
    assert (facts["order"], facts["captured_minor"]) == (order, 500)
    assert len({headers["webhook-id"] for headers, _ in hub.seen}) == len(kinds)
    assert Disclosure.objects.filter(processor="customer", outcome="sent").count() == len(kinds)


def test_a_worker_may_read_what_it_posts_to(till: Till, hub: Any) -> None:
    customer = till.customer()
    number = listen(hub, customer)
    services.renew_secret(customer, number)
    services.ping(customer, number, timezone.now())
    purposes.guard_process()  # as in the process of a worker
    try:
        tell()
    finally:
        purposes.guard_process(False)
    assert told(hub) == ["endpoint.test"]


def test_nobody_hears_of_others_but_the_operator(till: Till, hub: Any) -> None:
    listen(hub, till.customer())
    till.bought(till.customer())
    tell()
    assert hub.seen == []
    listen(hub, None, ("order",))
    till.bought(till.customer())
    tell()
    assert told(hub) == ["order.paid", "order.delivered"]


def test_without_listeners_nothing_is_kept(till: Till) -> None:
    till.bought(till.customer())
    assert not Event.objects.exists()


def test_a_failed_post_holds_back_what_comes_after_it(till: Till, hub: Any) -> None:
    customer = till.customer()
    number = listen(hub, customer, ("order",))
    hub.answers = [500]
    till.bought(customer)
    tell()
    assert told(hub) == ["order.paid"]
    first = queries.list_posts(customer, number)[-1]
    assert (first.state, first.tries, first.answer) == ("waiting", 1, 500)
    Post.objects.update(next_at=timezone.now())
    tell()
    assert told(hub) == ["order.paid", "order.paid", "order.delivered"]
    ids = [headers["webhook-id"] for headers, _ in hub.seen]
    assert ids[0] == ids[1]


def test_it_is_given_up_after_days_and_goes_on_when_mended(till: Till, hub: Any) -> None:
    customer = till.customer()
    number = listen(hub, customer, ("order",))
    hub.answers = [503] * 10
    till.bought(customer)
    for _ in range(12):
        Post.objects.filter(state="waiting").update(next_at=timezone.now())
        tell()
    assert queries.get_endpoint(customer, number).state == "failing"
    assert len(hub.seen) == 10
    services.resume_endpoint(customer, number)
    tell()
    assert told(hub)[10:] == ["order.paid", "order.delivered"]


def test_a_receiver_that_is_gone_is_believed(till: Till, hub: Any) -> None:
    customer = till.customer()
    number = listen(hub, customer, ("order",))
    hub.answers = [410]
    till.bought(customer)
    tell()
    assert queries.get_endpoint(customer, number).state == "failing"


def test_a_redirect_is_not_followed(till: Till, hub: Any) -> None:
    customer = till.customer()
    number = listen(hub, customer, ("order",))
    hub.answers = [302]
    till.bought(customer)
    tell()
    assert len(hub.seen) == 1
    assert queries.list_posts(customer, number)[-1].answer == 302


def test_replay_posts_again_from_there_on(till: Till, hub: Any) -> None:
    customer = till.customer()
    number = listen(hub, customer, ("order",))
    till.bought(customer)
    tell()
    last = queries.list_posts(customer, number)[0]
    assert services.replay(customer, number, last.event) == 1
    tell()
    assert told(hub) == ["order.paid", "order.delivered", "order.delivered"]
    with pytest.raises(services.NoEndpoint):
        services.replay(customer, number, "msg_unknown")


def test_one_event_is_posted_again_alone(till: Till, hub: Any) -> None:
    customer = till.customer()
    number = listen(hub, customer, ("order",))
    till.bought(customer)
    tell()
    first = queries.list_posts(customer, number)[-1]
    services.send_again(customer, number, first.event)
    tell()
    assert told(hub) == ["order.paid", "order.delivered", "order.paid"]
    with pytest.raises(services.NoEndpoint):
        services.send_again(customer, number, "msg_unknown")


@pytest.mark.parametrize("whose", ["customer", "operator"])
def test_an_endpoint_is_tried_out(till: Till, hub: Any, whose: str) -> None:
    customer = till.customer() if whose == "customer" else None
    number = listen(hub, customer, ("key",))
    assert services.ping(customer, number, timezone.now())
    assert not services.ping(customer, number, timezone.now())  # one is on its way already
    tell()
    assert told(hub) == ["endpoint.test"]
    assert services.ping(customer, number, timezone.now())
    assert services.forget_events(timezone.now() + dt.timedelta(days=31)) == 2


def test_a_secret_that_is_replaced_signs_for_a_day_beside_the_new_one(till: Till, hub: Any) -> None:
    customer = till.customer()
    number = listen(hub, customer)
    old = queries.get_endpoint(customer, number).secret
    services.renew_secret(customer, number)
    new = queries.get_endpoint(customer, number).secret

    def signed_by() -> list[bool]:
        services.ping(customer, number, timezone.now())
        tell()
        head, body = hub.seen[-1]
        given = head["webhook-signature"].split(" ")
        stamp = int(head["webhook-timestamp"])
        return [sign(one, head["webhook-id"], stamp, body) in given for one in (new, old)]

    assert signed_by() == [True, True]
    Endpoint.objects.update(old_until=timezone.now())
    assert signed_by() == [True, False]
    services.renew_secret(customer, number)
    services.forget_old_secret(customer, number)
    assert signed_by() == [False, False]
    assert queries.get_endpoint(customer, number).old_until is None


def test_keys_are_told_by_their_states(till: Till, hub: Any) -> None:
    customer = till.customer()
    tell()  # the feed is read from now on
    till.bought(customer)
    tell()
    listen(hub, customer, ("key",))
    delivery.suspend_keys(customer, "dispute")
    tell()
    delivery.resume_keys(customer, "dispute")
    tell()
    assert told(hub) == ["key.suspended", "key.active"]
    assert json.loads(hub.seen[0][1])["data"]["reason"] == "dispute"


def test_two_workers_do_not_post_at_once(till: Till, hub: Any) -> None:
    customer = till.customer()
    listen(hub, customer, ("order",))
    till.bought(customer)
    (mine,) = services.claim(timezone.now())
    assert services.claim(timezone.now()) == []
    services.release(mine)
    assert services.claim(timezone.now() + dt.timedelta(seconds=1)) == [mine]
    assert services.claim(timezone.now() + dt.timedelta(seconds=120)) == [mine], (
        "a dead worker's is taken over"
    )


def test_a_name_that_leads_home_is_refused_when_it_counts(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name was public when it was typed; it answers differently later."""
    customer = till.customer()
    owner = accounts.get_customer(customer).owner_id
    number = services.add_endpoint(customer, owner, "https://hook.example/in", ("order",))
    monkeypatch.setattr(announcing, "local_allowed", lambda: False)
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 443)) for ip in ("93.184.216.34", "10.0.0.7")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    till.bought(customer)
    tell()
    assert queries.list_posts(customer, number)[-1].error == "private"
    assert not Disclosure.objects.filter(processor="customer").exists()


def test_the_connection_goes_where_the_look_went(hub: Any, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    """The name is looked up once; what it would answer the second time does not matter."""
    asked = []

    def look_up(host: str, port: int, *_: Any, **__: Any) -> Any:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda h, *a, **k: look_up(h, *a, **k) if h == "localhost" else real(h, *a, **k),
    )
    url = f"http://localhost:{hub.server_port}/in"
    answer = egress_pinned.post(url, b"{}", {}, purpose="order", categories=(), local=True)
    assert answer == 204
    assert asked == ["localhost"]
    assert hub.seen[0][0]["Host"] == f"localhost:{hub.server_port}"


def test_live_shops_refuse_this_machine(hub: Any, db: None) -> None:
    with pytest.raises(BadAddress):
        egress_pinned.post(f"https://127.0.0.1:{hub.server_port}/", b"{}", {}, purpose="order", categories=())
    with pytest.raises(egress_pinned.NoAnswer):
        egress_pinned.post("http://127.0.0.1:1/", b"{}", {}, purpose="order", categories=(), local=True)
    assert announcing.local_allowed() is not settings.ENV.live


def test_a_stop_holds_it_back(till: Till, hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = till.customer()
    number = listen(hub, customer, ("order",))
    till.bought(customer)
    monkeypatch.setattr(egress, "_stops", [lambda *_: "restricted"])
    tell()
    assert hub.seen == []
    assert queries.list_posts(customer, number)[-1].error == "restricted"


def test_what_is_stored_is_sealed_and_forgotten(till: Till, hub: Any) -> None:
    customer = till.customer()
    listen(hub, customer)
    raw = json.dumps(till.raw("outbox_endpoint"), default=str)
    assert "127.0.0.1" not in raw
    assert "whsec_" not in raw
    till.bought(customer)
    assert services.forget_events(timezone.now() + dt.timedelta(days=31)) > 0
    assert not Post.objects.exists()
    with pytest.raises(ValueError, match="at least one"):
        listen(hub, customer, ())
    for _ in range(4):
        listen(hub, customer)
    with pytest.raises(services.TooMany):
        listen(hub, customer)
    assert Endpoint.objects.count() == 5


def test_the_owner_of_an_endpoint_hears_that_nothing_arrives(till: Till, hub: Any, mailoutbox: list) -> None:  # type: ignore[type-arg]
    customer = accounts_verbs.ensure_customer(accounts_verbs.create_person("planted@example.org", None))
    number = listen(hub, customer)
    hub.answers = [503] * 50
    till.bought(customer)

    def tries(count: int) -> list[str]:
        for _ in range(count):
            Post.objects.update(next_at=timezone.now())
            announcing.tell_programs(threading.Event())
        till.work()
        return [mail.subject for mail in mailoutbox if "webhook" in mail.subject]

    assert tries(2) == []
    assert tries(1) == ["Your webhook does not answer"]
    assert tries(3) == ["Your webhook does not answer"]
    hub.answers = [410]
    assert tries(1) == ["Your webhook does not answer", "We stopped posting to your webhook"]
    assert Endpoint.objects.get().state == "failing"
    body = mailoutbox[-1].body
    assert f"/console/webhooks/{number}/" in body
    assert "410" in body
    assert str(hub.server_port) not in body
    assert tries(2) == ["Your webhook does not answer", "We stopped posting to your webhook"]


def test_an_endpoint_that_recovered_is_not_called_dead(till: Till, hub: Any, mailoutbox: list) -> None:  # type: ignore[type-arg]
    customer = accounts_verbs.ensure_customer(accounts_verbs.create_person("planted@example.org", None))
    number = listen(hub, customer)
    hub.answers = [410]
    till.bought(customer)
    announcing.tell_programs(threading.Event())
    services.resume_endpoint(customer, number)
    till.work()
    assert [mail for mail in mailoutbox if "webhook" in mail.subject] == []
