"""The egress door against a real server on this machine."""

from __future__ import annotations

import datetime as dt
import socket
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone

from tollkeeper.core.egress import Processor
from tollkeeper.kit import egress, egress_guard
from tollkeeper.kit.egress_mail import DoorBackend
from tollkeeper.kit.trail.models import Disclosure

pytestmark = pytest.mark.django_db


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.seen.append(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        else:
            self.send_response(200)
        self.send_header("Set-Cookie", "spy=1")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the name is the server's

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = HTTPServer(("127.0.0.1", 0), Handler)
    made.seen = []
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def host(server) -> str:
    return f"127.0.0.1:{server.server_port}"


@pytest.fixture(autouse=True)
def register(host, monkeypatch):
    known = {
        "stripe": Processor(
            name="stripe",
            hosts=frozenset({host}),
            fields=frozenset({"amount", "metadata.order"}),
            categories=("order", "payment"),
            purposes=frozenset({"order"}),
        )
    }
    monkeypatch.setattr(egress, "_registers", [lambda: known])
    monkeypatch.setattr(egress, "_stops", [])
    return known


def test_what_is_registered_arrives_and_is_noted_without_a_value(server, host):
    subject = uuid.uuid4()
    with egress.about(subject=subject):
        answer = egress.session("stripe", "order").post(f"http://{host}/", data={"metadata[order]": "A-77"})
    assert answer.status_code == 200
    assert server.seen == [b"metadata%5Border%5D=A-77"]
    (row,) = egress.disclosures_of(subject)
    assert (row.processor, row.purpose, row.fields) == ("stripe", "order", ("metadata.order",))
    assert row.categories == ("order", "payment")
    assert "A-77" not in str(Disclosure.objects.values().get())
    assert egress.disclosures_of(uuid.uuid4()) == []


def test_a_field_that_is_not_listed_does_not_leave_and_the_refusal_is_noted(server, host):
    with pytest.raises(egress.Refused, match=r"metadata\.nickname") as caught:
        egress.session("stripe", "order").post(f"http://{host}/", json={"metadata": {"nickname": "Jo"}})
    assert caught.value.reason == "field"
    assert server.seen == []
    assert Disclosure.objects.get().outcome == "field"
    since = timezone.now() - dt.timedelta(minutes=1)
    assert egress.counts(since) == {("stripe", "field"): 1}


@pytest.mark.parametrize(
    ("processor", "purpose", "path", "word"),
    [("nobody", "order", "", "unknown"), ("stripe", "improve", "", "purpose")],
)
def test_an_unknown_processor_or_purpose_is_refused(server, host, processor, purpose, path, word):
    with pytest.raises(egress.Refused) as caught:
        egress.session(processor, purpose).post(f"http://{host}/{path}", data={"amount": 1})
    assert caught.value.reason == word
    assert server.seen == []


def test_another_host_is_refused(server):
    with pytest.raises(egress.Refused) as caught:
        egress.session("stripe", "order").get("http://127.0.0.1:9/")
    assert caught.value.reason == "host"


def test_a_redirect_is_not_followed_past_the_door(host):
    with pytest.raises(requests.exceptions.TooManyRedirects):
        egress.session("stripe", "order").post(f"http://{host}/away", data={"amount": 1})


def test_no_cookie_is_kept(host):
    client = egress.session("stripe", "order")
    client.post(f"http://{host}/", data={"amount": 1})
    assert len(client.cookies) == 0


def test_a_stop_refuses_for_one_person_only(server, host):
    restricted = uuid.uuid4()
    egress.add_stop(lambda processor, purpose, subject: "restricted" if subject == restricted else "")
    client = egress.session("stripe", "order")
    with egress.about(subject=restricted), pytest.raises(egress.Refused) as caught:
        client.post(f"http://{host}/", data={"amount": 1})
    assert caught.value.reason == "restricted"
    with egress.about(subject=uuid.uuid4()):
        client.post(f"http://{host}/", data={"amount": 1})
    assert len(server.seen) == 1


@pytest.mark.django_db(transaction=True)
def test_nothing_leaves_inside_a_transaction(server, host):
    with pytest.raises(egress.InsideTransaction), transaction.atomic():
        egress.session("stripe", "order").post(f"http://{host}/", data={"amount": 1})
    assert server.seen == []


def test_a_mail_is_a_disclosure_and_a_relay_that_is_not_registered_gets_none(settings, register):
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    backend = DoorBackend(host="127.0.0.1", port=9, use_ssl=True, fail_silently=False)
    mail = EmailMessage("Subject", "Body", "shop@shop.example", ["jane@doe.example"])
    with pytest.raises(egress.Refused) as caught:
        backend.send_messages([mail])
    assert caught.value.reason == "unknown"
    register["mail"] = Processor(
        "mail", frozenset({"127.0.0.1:9"}), frozenset({"to", "subject", "body"}), (), frozenset({"notice"})
    )
    with pytest.raises(ConnectionRefusedError):
        backend.send_messages([mail])
    row = Disclosure.objects.get(outcome="sent")
    assert row.fields == "body,subject,to"
    assert "jane" not in str(Disclosure.objects.filter(pk=row.pk).values().get())
    mail.attach("a.txt", "x")
    with pytest.raises(egress.Refused) as caught:
        backend.send_messages([mail])
    assert caught.value.names == ("attachment",)
    assert backend.send_messages([]) == 0


def test_the_guard_refuses_what_goes_past_the_door():
    watch = egress_guard._watch
    watch("socket.connect", (None, ("127.0.0.1", 80)))
    watch("socket.connect", (None, "/run/socket"))
    watch("socket.getaddrinfo", ("localhost", 80, 0, 0, 0))
    for event, arguments in (
        ("socket.connect", (None, ("203.0.113.7", 443))),
        ("socket.connect", (None, ("2001:db8::1", 443, 0, 0))),
        ("socket.getaddrinfo", ("telemetry.example", 443, 0, 0, 0)),
    ):
        with pytest.raises(egress_guard.PastTheDoor):
            watch(event, arguments)
        with egress_guard.opened():
            watch(event, arguments)


def test_the_guard_watches_a_whole_process():
    program = (
        "import socket, sys\n"
        "from tollkeeper.kit import egress_guard\n"
        "egress_guard.install(['book.internal'])\n"
        "assert egress_guard.is_near('book.internal')\n"
        "try:\n    socket.create_connection(('203.0.113.7', 443), timeout=1)\n"
        "except egress_guard.PastTheDoor as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert "past the egress door" in done.stdout, done.stderr


def test_a_socket_to_this_machine_is_no_matter(host):
    name, port = host.split(":")
    socket.create_connection((name, int(port)), timeout=2).close()
