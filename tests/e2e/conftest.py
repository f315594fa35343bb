"""Fixtures that every end-to-end test shares. What a test starts through them is stopped, and its
ledger verified, when the test (or its module) ends."""

import shutil

import pytest

import corpus
import tally
from certificates import Authority
from gateway import Gateway
from lab import Lab
from place import BINARY
from pricing import Catalogue
from upstream import Upstream, obliging

_running = []  # gateways whose ledger is verified after each test


def pytest_configure():
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not built (MOONGATE_BINARY names another one)", returncode=2)


def pytest_terminal_summary(terminalreporter):
    lines = list(tally.lines())
    if lines:
        terminalreporter.section("rows tried, by table and class")
        for line in lines:
            terminalreporter.line(line)
    if corpus.skipped:
        terminalreporter.line(f"SKIPPED: {len(corpus.skipped)} tests need MOONGATE_CORPUS")


@pytest.fixture(autouse=True)
def ledgers_stay_clean():
    """After every test, of every gateway that is up: it lives, and its books are in order."""
    yield
    for gateway in list(_running):
        if not gateway.has_ledger:
            continue
        if gateway.program is not None:
            assert gateway.is_running(), f"serve is gone: {gateway.program.stderr()[-3000:]}"
            assert not gateway.program.complaints(), gateway.program.complaints()
        gateway.verify()


class Workshop:
    """Makes gateways, labs and upstreams, and clears them away. What a failed test made stays on
    the disk; each gateway's store alone takes over 32 MiB of it."""

    def __init__(self, folder, session):
        self.folder, self._made = folder, []
        self._session, self._failed_before = session, session.testsfailed

    def gateway(self, channels=(), start=True, **settings):
        number = sum(isinstance(made, Gateway) for made in self._made)
        gateway = Gateway(self.folder / f"gateway{number}", channels, **settings)
        self._made.append(gateway)
        _running.append(gateway)
        return gateway.start() if start else gateway

    def upstream(self, answer=obliging):
        upstream = Upstream(answer)
        self._made.append(upstream)
        return upstream

    def lab(self, **knobs):
        lab = Lab(self.folder, **knobs)
        self._made.append(lab)
        return lab.start()

    def clear(self):
        """Stops everything; a drained gateway leaves no request's hold open."""
        problems = []
        for made in reversed(self._made):  # gateways before what they lean on
            if isinstance(made, Upstream):
                problems += made.errors
            else:
                problems += _stopped(made)
        for made in self._made:
            if isinstance(made, Upstream):
                made.close()
        assert not problems, "\n".join(problems)
        if self._session.testsfailed == self._failed_before:
            shutil.rmtree(self.folder)


def _stopped(made):
    try:
        made.stop()
        if isinstance(made, Gateway):
            _running.remove(made)
            if made.has_ledger:
                report = made.verify()
                assert report["open_holds"] == 0, report
    except AssertionError as problem:
        return [str(problem)]
    return []


@pytest.fixture
def workshop(tmp_path, request):
    made = Workshop(tmp_path, request.session)
    yield made
    made.clear()


@pytest.fixture(scope="module")
def module_workshop(tmp_path_factory, request):
    """The same for a whole module: servers that several tests share."""
    made = Workshop(tmp_path_factory.mktemp("module"), request.session)
    yield made
    made.clear()


# --- What many modules want the same; a module that wants another has one of that name ---


@pytest.fixture(scope="module")
def upstream(module_workshop):
    return module_workshop.upstream()


@pytest.fixture
def caller(gateway):
    return gateway.caller("10.00")


@pytest.fixture(scope="module")
def prices(gateway):
    return Catalogue(gateway.folder / "data")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))
