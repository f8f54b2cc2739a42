"""``tollkeeper web``: storefront, console and desk, served by granian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from tollkeeper.cli.children import die_with_parent
from tollkeeper.config import environment


def load_application(*_: Any) -> Callable[..., Any]:
    """The WSGI application, loaded inside granian's worker, which goes when granian goes."""
    die_with_parent()
    from tollkeeper.config.wsgi import application

    return application


def web(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option(min=1, help="Processes; four threads each.")] = 1,
) -> None:
    """Run the web process alone, on TOLLKEEPER_PORT.

    Example: TOLLKEEPER_PORT=9000 tollkeeper web --workers 4
    """
    env = environment.read()
    env.secret("django")  # says what to do where nothing was migrated yet
    (env.home / "static").mkdir(exist_ok=True)
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    Server(
        "tollkeeper.config.wsgi:application",
        address=host,
        port=env.port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=4,
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        respawn_interval=0.2,
        workers_kill_timeout=8,
    ).serve(target_loader=load_application, wrap_loader=False)
