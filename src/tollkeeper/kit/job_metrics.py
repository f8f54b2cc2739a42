"""What an operator's monitoring sees of the jobs: depth, age, dead ones, late schedules. No personal label.

The text is Prometheus' exposition format 0.0.4. It is answered from a port of its own on this
machine, never from the storefront; each look asks the book, so any worker may answer for all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.db import Error, connection
from django.utils import timezone

from tollkeeper.kit import queries
from tollkeeper.kit.models import Schedule

KIND = "text/plain; version=0.0.4; charset=utf-8"


def text() -> str:
    """All gauges as they are now."""
    return "\n".join([*_jobs(), *_schedules()]) + "\n"


def _jobs() -> Iterator[str]:
    rows = queries.open_jobs()
    for state, what in (
        ("due", "Jobs that could be done now"),
        ("waiting", "Jobs that wait for their time or for their next try"),
        ("running", "Jobs that a worker holds"),
        ("dead", "Jobs that were given up: an operator's tasks"),
    ):
        name = f"tollkeeper_jobs_{state}"
        yield from (f"# HELP {name} {what}.", f"# TYPE {name} gauge")
        for kind in sorted({kind for kind, _ in rows}):
            yield f'{name}{{kind="{kind}"}} {rows.get((kind, state), 0)}'
    name = "tollkeeper_job_oldest_due_seconds"
    yield from (
        f"# HELP {name} How long the job that waits longest could have been done.",
        f"# TYPE {name} gauge",
    )
    yield f"{name} {queries.oldest_due_s():.3f}"


def _schedules() -> Iterator[str]:
    name, now = "tollkeeper_schedule_late_seconds", timezone.now()
    yield from (f"# HELP {name} How long a schedule's next turn is overdue.", f"# TYPE {name} gauge")
    for kind, next_at in Schedule.objects.order_by("kind").values_list("kind", "next_at"):
        yield f'{name}{{kind="{kind}"}} {max(0.0, (now - next_at).total_seconds()):.3f}'


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status, body = (
            (200, "ok\n") if path == "/healthz" else (404, "there are /healthz and /metrics here\n")
        )
        if path == "/metrics":
            try:
                status, body = 200, text()
            except Error:
                status, body = 503, "the book does not answer\n"
            finally:
                connection.close()
        raw = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", KIND)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """A look at the figures is no event."""


@contextmanager
def serving(port: int, host: str = "127.0.0.1") -> Iterator[int]:
    """Answer on a port while the block runs; port 0 takes a free one. Yields the port.

    Raises ``OSError`` if it is taken.
    """
    server = ThreadingHTTPServer((host, port), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="job metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
