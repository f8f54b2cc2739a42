"""The gate's process: set up, run, and one clear sentence if it cannot start."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import sys
import traceback
from pathlib import Path

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
    """One JSON object a line: what is ours to tell, and of mistakes classes and places, never data."""

    def format(self, record: logging.LogRecord) -> str:
        """``at`` (UTC), ``level``, ``from``, ``message``, and ``error``: its kind, and its places."""
        message = record.getMessage()
        told: dict[str, object] = {
            "at": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "from": record.name,
            # The loop's messages go on with what it was about, which may be anything.
            "message": message if record.name.startswith("tollkeeper") else message.partition("\n")[0],
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            places = traceback.extract_tb(error.__traceback__)
            where = [f"{Path(place.filename).name}:{place.lineno} {place.name}" for place in places]
            told["error"] = [type(error).__name__, *where]
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
