"""The gate's process: set up, run, and one clear sentence if it cannot start."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import sys

import msgspec

from tollkeeper.gate import options as environment
from tollkeeper.gate.options import BadOptions
from tollkeeper.gate.serve import Gate

try:
    import uvloop
except ImportError:  # not on every platform; the standard loop is slower and serves as well
    new_loop = asyncio.new_event_loop
else:
    new_loop = uvloop.new_event_loop


class Line(logging.Formatter):
    """One JSON object a line, whatever a message or a traceback holds."""

    def format(self, record: logging.LogRecord) -> str:
        """``at`` (UTC), ``level``, ``from``, ``message``, and ``trace`` where there is one."""
        told = {
            "at": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "from": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(told).decode()


async def _run(build: str) -> None:
    gate = Gate(environment.read(), asyncio.get_running_loop(), build)
    await gate.start()
    await gate.run()


def main(build: str) -> int:
    """Run until a signal; 0 after a proper end, 2 if the gate could not start."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_run(build))
    except BadOptions as error:
        sys.stderr.write(f"gate: {error}\n")
        return 2
    return 0
