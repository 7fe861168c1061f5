"""What every test may ask for."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from planner.publish import kernel_transport, voila_command, voila_environment

START_SECONDS = 60
STOP_SECONDS = 15


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Server:
    """A server under test."""

    url: str
    process: subprocess.Popen
    log_file: Path

    def log(self) -> str:
        """Everything it has printed so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")


def stop(process: subprocess.Popen) -> None:
    """Ask the server to stop; after a while, end its whole process group."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


@pytest.fixture(scope="session")
def start_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Server]]:
    """Start servers that end with the tests.

    ``start_server(command, env)`` runs the command in a process group and with a home of its
    own, and waits until it has printed an address that answers. A command that cannot print
    one passes it: ``start_server(command, env, url="http://127.0.0.1:1234/")``.
    """
    processes = []

    def start(command: list[str], env: dict[str, str], url: str | None = None) -> Server:
        folder = tmp_path_factory.mktemp("server")
        home = folder / "home"
        home.mkdir()
        log_file = folder / "log.txt"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                command,
                env={**env, "HOME": str(home), "PYTHONUNBUFFERED": "1"},
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        processes.append(process)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            text = log_file.read_text(encoding="utf-8", errors="replace")
            printed = re.search(r"open at (http://\S+)", text)
            address = url or (printed and printed[1])
            if address and answers(address):
                return Server(address, process, log_file)
            time.sleep(0.1)
        pytest.fail(f"The server did not start:\n{log_file.read_text()}", pytrace=False)

    yield start
    for process in processes:
        stop(process)


def answers(url: str) -> bool:
    """Whether anything, an error page included, answers at an address.

    A redirection is an answer; to follow it would open a page and start a kernel.
    """
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


@pytest.fixture(scope="session")
def serve_notebooks(start_server: Callable[..., Server], repository: Path) -> Callable[..., Server]:
    """Serve a folder of notebooks as `planner serve --port 0` would.

    ``serve_notebooks(folder, **options)`` takes the options of `voila_command`; a list
    ``extra`` is appended to the command.
    """

    def start(notebooks: Path, *, extra: tuple[str, ...] = (), **options: object) -> Server:
        voila_dir = repository / "deploy" / "voila"
        transport = kernel_transport(sys.platform, tempfile.gettempdir())
        command = voila_command(
            0, notebooks=notebooks, voila_dir=voila_dir, transport=transport, **options
        )
        return start_server([*command, *extra], voila_environment(os.environ, voila_dir))

    return start


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The browser tests in one worker: they share a server, and two browsers at once are late."""
    from xdist.scheduler import LoadScopeScheduling

    class BrowserApart(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "browser" if nodeid.startswith("tests/browser/") else nodeid

    return BrowserApart(config, log)
