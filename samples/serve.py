"""Serves a sample on the loopback address: one process, stopped by SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import signal
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server


def serve(app: Any, description: str) -> None:
    """Parse ``--port`` and serve ``app`` (ASGI) until told to stop."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True)
    run(app, parser.parse_args().port)


def run(app: Any, port: int) -> None:
    """Serve ``app`` (ASGI) on a loopback port until told to stop."""
    uvloop.run(_run(app, port))


async def _run(app: Any, port: int) -> None:
    server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGINL, log_enabled=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    await server.serve()
