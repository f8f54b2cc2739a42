"""``python -m samples.fakestripe --port P [--home H] [--webhook URL] [--secret S]``"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from pathlib import Path

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from samples.fakestripe.app import Site, build


async def _run(site: Site, port: int) -> None:
    server = Server(
        site.app(), address="127.0.0.1", port=port, interface=Interfaces.ASGINL, log_enabled=False
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    work = asyncio.create_task(site.work())
    try:
        await server.serve()
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        site.engine.store.close()


def main() -> None:
    """Serve on the loopback until told to stop."""
    parser = argparse.ArgumentParser(prog="samples.fakestripe", description="A stand-in for Stripe.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--home", type=Path, default=None, help="folder for fakestripe.sqlite3")
    parser.add_argument("--webhook", default="", help="where events are posted")
    parser.add_argument("--secret", default="whsec_stand_in", help="what events are signed with")
    given = parser.parse_args()
    site = build(f"http://127.0.0.1:{given.port}", given.webhook, given.secret, given.home)
    uvloop.run(_run(site, given.port))


main()
