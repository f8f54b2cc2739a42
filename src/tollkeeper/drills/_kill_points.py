"""Processes that really die: forked, and ended by ``SIGKILL`` at the instant one wants.

An instant is any moment at which something became true for others: before and after
each commit that wrote something, before and after each request to the outside.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL

_WRITES = ("INSERT", "UPDATE", "DELETE")


class KillPoints:
    """Counts instants while :meth:`watching`; dies at number ``at`` (0: never)."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.count = 0
        self.watched = False
        self._dirty: set[str] = set()

    def pass_by(self) -> None:
        """One more instant, if anybody watches."""
        self.count += self.watched
        if self.watched and self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count commits and single writes on every database, until the end of the block."""
        commit = BaseDatabaseWrapper.commit

        def committed(wrapper: BaseDatabaseWrapper) -> None:
            wrote = wrapper.alias in self._dirty
            self._dirty.discard(wrapper.alias)
            if wrote:
                self.pass_by()
            commit(wrapper)
            if wrote:
                self.pass_by()

        def executed(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
            wrapper = context["connection"]
            if not str(sql).lstrip().upper().startswith(_WRITES):
                return execute(sql, params, many, context)
            if wrapper.in_atomic_block:
                self._dirty.add(wrapper.alias)
                return execute(sql, params, many, context)
            self.pass_by()
            result = execute(sql, params, many, context)
            self.pass_by()
            return result

        with mock.patch.object(BaseDatabaseWrapper, "commit", committed):
            for alias in connections:
                connections[alias].execute_wrappers.append(executed)
            self.watched = True
            try:
                yield
            finally:
                self.watched = False
                for alias in connections:
                    connections[alias].execute_wrappers.remove(executed)


class Failed(RuntimeError):
    """A forked process ended by an error of its own; the text is the last line of it."""


def in_child(work: Callable[[], Any]) -> tuple[bool, Any]:
    """Run ``work`` in a forked process: (True, its JSON result), or (False, None) if it was killed.

    No database connection may be open here, in the pool neither; the child opens its own.
    Raises :class:`Failed`.
    """
    connections.close_all()
    for one in connections.all(initialized_only=True):
        if isinstance(one, PostgreSQL):
            one.close_pool()
    descriptor, name = tempfile.mkstemp(prefix="tollkeeper-child-")
    os.close(descriptor)
    answer = Path(name)
    try:
        pid = os.fork()
        if pid == 0:
            _live(work, answer)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return False, None
        told = json.loads(answer.read_text() or '{"error": "it ended without an answer"}')
        if "error" in told:
            raise Failed(told["error"])
        return True, told["result"]
    finally:
        answer.unlink()


def _live(work: Callable[[], Any], answer: Path) -> None:
    """The child's side; never returns."""
    code = 0
    try:
        answer.write_text(json.dumps({"result": work()}))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
        traceback.print_exc(file=sys.stderr)
        answer.write_text(json.dumps({"error": f"{type(error).__name__}: {error}"}))
        code = 1
    finally:
        sys.stderr.flush()
        os._exit(code)
