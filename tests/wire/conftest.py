"""Fixtures: one server for most tests, servers of their own for those that stop or kill one, fresh names."""

import itertools
import logging

import pytest
from pymilvus import MilvusClient

import data
import server_process
from raw_call import Raw
from server_process import ServerProcess
from target import make_target

_COUNTER = itertools.count()

# The client logs every error that it raises, with its traceback: tests look at the errors themselves.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)


def pytest_configure():
    try:
        server_process.binary()
    except RuntimeError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_report_header():
    return f"elanus: {server_process.binary()}, seed {data.SEED} (ELANUS_WIRE_SEED)"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The server that tests share."""
    folder = tmp_path_factory.mktemp("server")
    process = ServerProcess(folder / "data", folder / "logs").start()
    yield process
    process.stop()


@pytest.fixture(autouse=True)
def still_serving(request):
    """After every test the shared server runs, has not panicked and answers."""
    yield
    if "server" in request.fixturenames:
        request.getfixturevalue("server").check()


@pytest.fixture(scope="session")
def client(server):
    """A client of the shared server."""
    client = MilvusClient(uri=server.uri)
    yield client
    client.close()


@pytest.fixture(scope="session")
def raw(server):
    """A channel to the shared server."""
    raw = Raw(server.address)
    yield raw
    raw.close()


def _names(client, request):
    given = []

    def name(hint: str = "c") -> str:
        given.append(f"{hint}_{next(_COUNTER)}")
        return given[-1]

    def drop():
        for one in given:
            client.drop_collection(one)

    request.addfinalizer(drop)
    return name


@pytest.fixture
def fresh(client, request):
    """Gives names of collections that are dropped after the test."""
    return _names(client, request)


@pytest.fixture(scope="module")
def module_fresh(client, request):
    """Gives names of collections that are dropped after the module."""
    return _names(client, request)


@pytest.fixture
def own_server(tmp_path):
    """Makes servers that a test may stop, kill and start again; the same name is the same data directory."""
    made = {}

    def make(name: str = "data", **options) -> ServerProcess:
        if name not in made:
            made[name] = ServerProcess(tmp_path / name, tmp_path / "logs", **options)
        return made[name]

    yield make
    for process in made.values():
        process.discard()


@pytest.fixture(scope="module")
def shared_target(client, raw, module_fresh):
    """The collection that the hostile requests of a module are aimed at."""
    return make_target(client, raw, module_fresh("target"))


@pytest.fixture
def target(shared_target):
    """The same, looked at again after the test."""
    yield shared_target
    shared_target.check()
