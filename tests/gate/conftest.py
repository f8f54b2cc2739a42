"""A gate under test: a scratch book, a scripted upstream, and the real process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gate.stage import RunningGate, Stage
from tests.gate.upstream import ScriptedUpstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    """A scripted upstream, shared by a module's tests."""
    server = ScriptedUpstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, upstream: ScriptedUpstream) -> Stage:
    """An installation with its own book, before any gate runs."""
    return Stage(tmp_path_factory.mktemp("gate"), upstream.port)


@pytest.fixture(scope="module")
def gate(stage: Stage) -> Iterator[RunningGate]:
    """A gate that runs on the stage."""
    stage.publish()
    running = stage.run_gate()
    yield running
    running.stop()


@pytest.fixture
def new_stage(tmp_path: Path, upstream: ScriptedUpstream) -> Iterator[Callable[[], Stage]]:
    """For tests that need an installation of their own."""
    made: list[Stage] = []

    def make() -> Stage:
        stage = Stage(tmp_path / str(len(made)), upstream.port)
        made.append(stage)
        return stage

    yield make
    for stage in made:
        stage.stop_all()
