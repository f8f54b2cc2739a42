"""Are the ports free? Asked before anything is started."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

from tollkeeper.cli.supervisor import Program
from tollkeeper.core.refusal import Refused


def check(programs: Sequence[Program], patience_s: float) -> None:
    """Raise :class:`Refused` naming the first taken port.

    ``patience_s`` is for what a killed predecessor's children still need to end.
    """
    deadline = time.monotonic() + patience_s
    for program in programs:
        while program.port is not None and is_taken(program.port):
            if time.monotonic() > deadline:
                raise Refused(
                    f"port {program.port} (for the {program.name}) is taken by another program; "
                    "stop that one, or choose other ports with --port N"
                )
            time.sleep(0.1)


def is_taken(port: int) -> bool:
    """True if nobody could listen on ``port`` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return True
    return False
