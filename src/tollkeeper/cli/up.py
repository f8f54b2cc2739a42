"""``tollkeeper up``: everything on one machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tollkeeper.cli import demo, home, ports
from tollkeeper.cli.fingerprint import fingerprint
from tollkeeper.cli.supervisor import Program, Supervisor, python, say
from tollkeeper.config import environment
from tollkeeper.config.environment import Environment
from tollkeeper.core import lockdown
from tollkeeper.core.refusal import Refused

START_TIMEOUT_S = 60.0
COMPILE_AFTER_S = 20.0
"""The gate's modules are compiled so long after all is ready: not while somebody waits for the first page."""


def up(
    shop: Annotated[str, typer.Argument(help="A folder below shops/, or a path to a shop's folder.")] = "",
    port: Annotated[int, typer.Option(help="Base port: storefront N, gate N+1, stand-ins N+2 and N+3.")] = 0,
    home_path: Annotated[str, typer.Option("--home", metavar="PATH", help="Where all state is kept.")] = "",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what the processes print.")] = False,
) -> None:
    """Run storefront, console, gate, worker and the demo's stand-ins; Ctrl-C stops all.

    Example: tollkeeper up twtapi --port 9000
    """
    for name, value in (("SHOP", shop), ("PORT", str(port or "")), ("HOME", home_path)):
        if value:
            os.environ[f"TOLLKEEPER_{name}"] = value
    env = environment.read()
    home.prepare(env.home)
    if (env.home / lockdown.FILE).exists():
        raise Refused(lockdown.SENTENCE)
    descriptor = home.hold(env.home)
    try:
        programs = _programs(env)
        broke_off = home.read_run_file(env.home) is not None  # its children may need a moment to go
        home.run_file(env.home).unlink(missing_ok=True)
        ports.check(programs, patience_s=3.0 if broke_off else 0.0)
        _prepare_book(env)
        asyncio.run(_run(env, programs, verbose))
    finally:
        home.run_file(env.home).unlink(missing_ok=True)
        os.close(descriptor)


def _programs(env: Environment) -> list[Program]:
    """What runs: the three processes of ours, and the demo's stand-ins unless the shop is live."""
    stand_ins = [] if env.live else demo.stand_ins(env)
    return [
        *stand_ins,
        Program("web", python("-m", "tollkeeper", "web"), env.port),
        Program("gate", python("-m", "tollkeeper.gate"), env.port + 1, "/v1/limits"),
        Program("worker", python("-m", "tollkeeper", "worker"), stop_order=1, late=True),
    ]


def _prepare_book(env: Environment) -> None:
    """Migrate and load the shop, in a process of its own, unless nothing changed since the last time."""
    mark = env.home / ".prepared"
    wanted = fingerprint(env)
    files_there = not env.database_url and env.book.exists() and env.keystore.exists()
    if files_there and mark.exists() and mark.read_text() == wanted:
        return
    say(f"Preparing the book in {env.home} …")
    result = subprocess.run(python("-m", "tollkeeper", "migrate"), env=_child_environment(env), check=False)
    if result.returncode:
        raise typer.Exit(1)
    mark.write_text(wanted)


def _child_environment(env: Environment) -> dict[str, str]:
    """What every child is given: the same settings, spelt out."""
    facts = {
        **os.environ,
        "TOLLKEEPER_HOME": str(env.home),
        "TOLLKEEPER_SHOP": str(env.shop),
        "TOLLKEEPER_PORT": str(env.port),
    }
    return facts if env.live else {**demo.environment(env), **facts}


def _addresses(env: Environment) -> dict[str, str]:
    own = {
        "storefront": f"{env.public_url}/",
        "console": f"{env.public_url}/console/",
        "desk": f"{env.public_url}/desk/",
        "docs": f"{env.public_url}/docs/",
        "gate": f"{env.gate_url}/",
    }
    return own if env.live else {**own, "mail": f"{env.public_url}/dev/mail/", **demo.addresses(env)}


async def _run(env: Environment, programs: list[Program], verbose: bool) -> None:
    facts = {
        "pid": os.getpid(),
        "shop": env.shop.name,
        "home": str(env.home),
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "ready": False,
        "addresses": _addresses(env),
        "processes": {},
    }

    def changed(processes: dict[str, int]) -> None:
        facts["processes"] = processes
        home.write_run_file(env.home, facts)

    supervisor = Supervisor(
        programs,
        environment=_child_environment(env),
        logs=env.home / "logs",
        changed=changed,
        verbose=verbose,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, supervisor.stop)
    running = asyncio.create_task(supervisor.run())
    silent = await supervisor.wait_until_all_answer(START_TIMEOUT_S)
    if silent is not None:
        supervisor.stop()
        await running
        raise Refused(
            f"the {silent.program.name} process does not answer"
            f"{f' ({silent.last_lines[-1]})' if silent.last_lines else ''}; "
            f"see {env.home / 'logs' / silent.program.name}.log"
        )
    if not supervisor.stopping:
        facts["ready"] = True
        home.write_run_file(env.home, facts)
        _show(env)
    compiling = asyncio.create_task(_compile(env))
    await running
    compiling.cancel()
    await asyncio.gather(compiling, return_exceptions=True)
    say("Stopped; nothing is left running.")


async def _compile(env: Environment) -> None:
    """Compile the gate for its next start, if this machine can; `doctor` tells what became of it."""
    await asyncio.sleep(COMPILE_AFTER_S)
    with (env.home / "logs" / "gate-build.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *python("-m", "tollkeeper.gate.build", "--gently"), stdout=log, stderr=log, start_new_session=True
        )
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
            await process.wait()


_LABELS = {
    "storefront": "Storefront",
    "console": "Console",
    "desk": "Desk (operators)",
    "docs": "API docs",
    "gate": "Gate",
    "mail": "Mail",
    "sample": "Sample upstream",
    "checkout": "Checkout stand-in",
    "home": "State and logs",
}


def _show(env: Environment) -> None:
    addresses = {**_addresses(env), "home": str(_short(env.home))}
    rows = [f"  {label:<18}  {addresses[name]}" for name, label in _LABELS.items() if name in addresses]
    console = Console(highlight=False, soft_wrap=True)
    try:
        console.print(f"\n[bold]Tollkeeper runs the shop “{env.shop.name}”[/bold]\n")
        console.print("\n".join(rows), markup=False)
        console.print("\n  Ctrl-C stops everything. See the whole story: [bold]./tollkeeper tour[/bold]\n")
    except OSError:
        return


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
