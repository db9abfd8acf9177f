"""A broker and a database to test against, each of which a test can stop, kill, freeze and start again.

Looked for in this order: TEST_AMQP_URL and TEST_DATABASE_URL; Docker through testcontainers; this machine's own
`rabbitmq-server` and `postgres` on private ports and folders; on Debian as root those packages are installed first.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

from common.bus import rabbit
from common.testing import free_port
from tests.harness import debian

START_SECONDS = 90
# What a broker keeps free of its disk: no disk has the one, its own default is the other.
FULL, ROOMY = "1000000GB", "50MB"
PASSWORD = "test"  # servers of the tests' own, on loopback, gone afterwards


class Server(Protocol):
    """One server of the tests' own."""

    url: str

    def stop(self) -> None: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def remove(self) -> None: ...


class Broker(Server, Protocol):
    """A broker; it can be made to believe that its disk is full, and to forget its user, its virtual host and all that
    is in it."""

    def fill(self) -> None: ...
    def empty(self) -> None: ...
    def forget(self) -> None: ...
    def remember(self) -> None: ...


class DatabaseServer(Server, Protocol):
    """A database; it can be told to leave everything as it lies, without a checkpoint (`pg_ctl stop -m immediate`)."""

    def abort(self) -> None: ...


class NoServers(Exception):
    """Neither a broker nor a database could be had; the message says what was tried."""


@dataclass
class Servers:
    """`kind` says where they came from. `url`s are an administrator's."""

    kind: str
    broker: Broker
    database: DatabaseServer

    def remove(self) -> None:
        self.broker.remove()
        self.database.remove()


def docker_answers() -> bool:
    """Whether a Docker engine answers here."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False).returncode == 0


def find(say: Callable[[str], None] = print) -> Servers:
    """A broker and a database, running. Raises NoServers."""
    if os.environ.get("TEST_AMQP_URL") and os.environ.get("TEST_DATABASE_URL"):
        return Servers("environment", _Given(os.environ["TEST_AMQP_URL"]), _Given(os.environ["TEST_DATABASE_URL"]))
    if os.environ.get("TEST_SERVERS", "") != "local" and docker_answers():
        return _from_docker()
    if os.environ.get("REQUIRE_DOCKER") == "1" and os.environ.get("TEST_SERVERS", "") != "local":
        raise NoServers("REQUIRE_DOCKER=1, and no Docker engine answers")
    if _local_rabbitmq() is None or _local_postgres() is None:
        _install(say)
    if _local_rabbitmq() is None or _local_postgres() is None:
        raise NoServers(
            "no TEST_AMQP_URL and TEST_DATABASE_URL, no Docker engine, no rabbitmq-server and postgres here"
        )
    return Servers("local", LocalBroker(), LocalDatabase())


@contextlib.contextmanager
def running(say: Callable[[str], None] = print) -> Iterator[Servers]:
    servers = find(say)
    try:
        yield servers
    finally:
        servers.remove()


@contextlib.contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """An empty database at a PostgreSQL server, by its administrator's URL; gone afterwards."""
    name = f"fresh_{uuid4().hex[:8]}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{url.rsplit('/', 1)[0]}/{name}"
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def wait_for(check: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> None:
    """Wait until `check` raises nothing."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            check()
            return
        except Exception as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come up in {seconds} s: {error}") from error
            time.sleep(0.2)


def check_broker(url: str) -> None:
    rabbit.connect(url).release()


def check_database(url: str) -> None:
    psycopg.connect(url, connect_timeout=2).close()


class _Given:
    """A server that is somebody else's: it cannot be stopped from here."""

    def __init__(self, url: str) -> None:
        self.url = url

    def stop(self) -> None:
        raise NotImplementedError("this server was given by the environment")

    start = kill = freeze = thaw = fill = empty = forget = remember = abort = stop

    def remove(self) -> None:
        """Left as it was."""


class _Container:
    """A server in a container with a port of its own, so that it comes back at the same address."""

    def __init__(self, container: Any, port: int, url: str, check: Callable[[str], None]) -> None:
        self.url = url
        self._check = check
        self._started = container.with_bind_ports(port, int(url.rsplit(":", 1)[1].split("/", maxsplit=1)[0])).start()
        self._container = self._started.get_wrapped_container()
        wait_for(lambda: check(url), f"container {self._container.image.tags}")

    def stop(self) -> None:
        self._container.stop(timeout=20)

    def start(self) -> None:
        self._container.start()
        wait_for(lambda: self._check(self.url), "container")

    def kill(self) -> None:
        self._container.kill()

    def freeze(self) -> None:
        self._container.pause()

    def thaw(self) -> None:
        self._container.unpause()

    def remove(self) -> None:
        self._started.stop()


class _DatabaseContainer(_Container):
    def abort(self) -> None:
        self._container.kill(signal="SIGQUIT")
        self._container.wait(timeout=20)


class _RabbitBroker:
    """What `rabbitmqctl` does to a broker, wherever that runs."""

    url: str

    def _control(self, *arguments: str) -> None:
        raise NotImplementedError

    def fill(self) -> None:
        self._control("set_disk_free_limit", FULL)

    def empty(self) -> None:
        self._control("set_disk_free_limit", ROOMY)

    def forget(self) -> None:
        self._control("delete_user", urlsplit(self.url).username or "")
        self._control("delete_vhost", "/")

    def remember(self) -> None:
        parts = urlsplit(self.url)
        self._control("add_vhost", "/")
        self._control("add_user", parts.username or "", parts.password or "")
        self._control("set_permissions", "-p", "/", parts.username or "", ".*", ".*", ".*")


class _BrokerContainer(_Container, _RabbitBroker):
    def _control(self, *arguments: str) -> None:
        status, said = self._container.exec_run(["rabbitmqctl", *arguments])
        if status != 0:
            raise RuntimeError(f"rabbitmqctl {' '.join(arguments)}: {said.decode()[-300:]}")


def _from_docker() -> Servers:
    # Its reaper is one more image to have; what is started here is removed here.
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    from testcontainers.core.container import DockerContainer

    broker = DockerContainer("rabbitmq:4-management").with_env("RABBITMQ_DEFAULT_USER", "test")
    broker = broker.with_env("RABBITMQ_DEFAULT_PASS", PASSWORD)
    database = DockerContainer("postgres:17").with_env("POSTGRES_PASSWORD", PASSWORD)
    return Servers(
        "docker",
        _BrokerContainer(broker, 5672, f"amqp://test:{PASSWORD}@127.0.0.1:{free_port()}/", check_broker),
        _DatabaseContainer(
            database, 5432, f"postgresql://postgres:{PASSWORD}@127.0.0.1:{free_port()}/postgres", check_database
        ),
    )


class _Local:
    """A server process of this machine, in a folder of its own."""

    user = ""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="remit-test-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0 and self.user:
            shutil.chown(self.folder, self.user, self.user)

    def _as_user(self) -> list[str]:
        prefix = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"]
        return prefix if os.geteuid() == 0 and self.user else []

    def _spawn(self, command: Sequence[str], environ: dict[str, str]) -> None:
        log = (self.folder / "server.log").open("ab")
        self._process = subprocess.Popen(
            [*self._as_user(), *command], env={**os.environ, **environ}, stdout=log, stderr=log, start_new_session=True
        )

    def _pids(self) -> list[int]:
        import psutil

        if self._process is None:
            return []
        try:
            parent = psutil.Process(self._process.pid)
            return [parent.pid, *(child.pid for child in parent.children(recursive=True))]
        except psutil.NoSuchProcess:
            return []

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(20)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class LocalDatabase(_Local):
    user = "postgres"

    def __init__(self) -> None:
        super().__init__()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        binaries = _local_postgres()
        assert binaries is not None
        self._binaries = binaries
        self._data = self.folder / "data"
        self._spawn([str(binaries / "initdb"), "-D", str(self._data), "-A", "trust", "-U", "postgres"], {})
        assert self._process is not None
        if self._process.wait(60) != 0:
            raise NoServers((self.folder / "server.log").read_text()[-500:])
        self.start()

    def start(self) -> None:
        self._spawn(
            [
                str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port),
                "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}",
                "-c", "max_connections=200", "-c", "shared_buffers=256MB",
            ],
            {},
        )  # fmt: skip
        wait_for(lambda: check_database(self.url), "postgres")

    def stop(self) -> None:
        self._end(signal.SIGINT)  # fast shutdown

    def abort(self) -> None:
        self._end(signal.SIGQUIT)  # immediate shutdown

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        for pid in self._pids()[:1]:
            os.kill(pid, number)
        self._process.wait(30)


class LocalBroker(_Local, _RabbitBroker):
    user = "rabbitmq"

    def __init__(self) -> None:
        super().__init__()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"  # pragma: allowlist secret
        self._epmd_port = free_port()
        (self.folder / "enabled_plugins").write_text("[].")
        (self.folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        self._environ = {
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"remit{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_LOGS": "-",
        }
        self.start()

    def start(self) -> None:
        command = _local_rabbitmq()
        assert command is not None
        self._spawn([str(command)], self._environ)
        wait_for(lambda: check_broker(self.url), "rabbitmq-server")

    def stop(self) -> None:
        assert self._process is not None
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        self._process.wait(60)

    def _control(self, *arguments: str) -> None:
        server = _local_rabbitmq()
        assert server is not None
        command = [*self._as_user(), str(server.with_name("rabbitmqctl")), *arguments]
        environ = {**os.environ, **self._environ}
        subprocess.run(command, env=environ, check=True, capture_output=True, timeout=120)

    def remove(self) -> None:
        super().remove()
        # The port mapper that the broker started for itself outlives it, and says no to `epmd -kill` for a while.
        import psutil

        for process in psutil.process_iter(["name"]):
            with contextlib.suppress(psutil.Error):
                if process.name() == "epmd" and process.environ().get("ERL_EPMD_PORT") == str(self._epmd_port):
                    process.kill()


def _local_rabbitmq() -> Path | None:
    # Not the wrapper on PATH: as root it changes user in a way that loses the environment.
    for path in (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"), Path("/opt/homebrew/sbin/rabbitmq-server")):
        if path.exists():
            return path
    found = shutil.which("rabbitmq-server")
    return Path(found) if found else None


def _local_postgres() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    for folder in folders:
        if int(folder.parent.name) >= 15 and (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _install(say: Callable[[str], None]) -> None:
    if debian.can_install():
        say("remit tests: installing Debian's rabbitmq-server and postgresql, to test against real ones")
        debian.install("--no-install-recommends", "rabbitmq-server", "postgresql")
