"""The real LiteLLM proxy with a real database, where ``install.sh`` has put it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg

from tests.services.postgres import free_port

MASTER = "sk-litellm-master-of-tests"
UPSTREAM = "upstream-key"
_CONFIG = """\
model_list:
  - model_name: tern-1
    litellm_params:
      {{model: openai/tern-1, api_base: "{upstream}/v1", api_key: {key},
       input_cost_per_token: 0.0000005, output_cost_per_token: 0.0000015}}
  - model_name: heron-1
    litellm_params:
      {{model: openai/heron-1, api_base: "{upstream}/v1", api_key: {key},
       input_cost_per_token: 0.000003, output_cost_per_token: 0.000015}}
general_settings: {{master_key: {master}, proxy_batch_write_at: 1, alerting: ["webhook"]}}
litellm_settings: {{telemetry: false}}
"""


def folder() -> Path | None:
    """Where ``install.sh`` put it; None if nobody said."""
    named = os.environ.get("REAL_LITELLM", "")
    return Path(named) if named else None


class RealLiteLLM:
    """The proxy on a loopback port, before the LLM stand-in; ``database`` is an empty database's URL.

    Its budget alerts go to ``webhook``.
    """

    def __init__(self, where: Path, home: Path, database: str, webhook: str) -> None:
        self.port, upstream = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        _migrate(where, database)
        config = home / "config.yaml"
        config.write_text(
            _CONFIG.format(upstream=f"http://127.0.0.1:{upstream}", key=UPSTREAM, master=MASTER)
        )
        llm = [sys.executable, "-m", "samples.llm", "--port", str(upstream)]
        self._llm = subprocess.Popen(llm, env={**os.environ, "LLM_API_KEY": UPSTREAM})
        environment = {
            **os.environ,
            "PATH": f"{where / 'venv' / 'bin'}:{os.environ['PATH']}",
            "DATABASE_URL": database,
            "WEBHOOK_URL": webhook,
            "DISABLE_SCHEMA_UPDATE": "true",
            "PRISMA_QUERY_ENGINE_BINARY": str(where / "query-engine"),
            "PRISMA_SCHEMA_ENGINE_BINARY": str(where / "query-engine"),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_MODE": "PRODUCTION",
        }
        self._log = (home / "log").open("wb")
        command = [str(where / "venv" / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            env=environment,
            cwd=home,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        try:
            self._wait(home / "log")
        except RuntimeError:
            self.stop()
            raise

    def stop(self) -> None:
        """End the proxy, its engine and the stand-in behind it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(timeout=30)
        self._llm.terminate()
        self._llm.wait(timeout=10)
        self._log.close()

    def _wait(self, log: Path) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health/readiness", timeout=2) as answer:
                    if b"connected" in answer.read():
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        raise RuntimeError(log.read_text()[-2000:])


def _migrate(where: Path, database: str) -> None:
    """The proxy's own migrations, as plain SQL."""
    (extras,) = (where / "venv" / "lib").glob("python3*/site-packages/litellm_proxy_extras/migrations")
    with psycopg.connect(database, autocommit=True) as connection:
        for path in sorted(extras.glob("*/migration.sql")):
            connection.execute(path.read_bytes())
