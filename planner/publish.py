"""Serve the notebooks as dashboards.

This module decides: which folder, which settings, which command. Everything here up to
:func:`serve` is pure and imports nothing heavy, so the command line stays quick.
`planner.publish_server` is what then runs: Voila, with less on offer.
"""

from __future__ import annotations

import argparse
import errno
import os
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from planner.errors import PlannerError

DEFAULT_PORT = 8866
LOOPBACK = "127.0.0.1"

# A Unix socket's path holds at most 107 bytes on Linux. Voila's own folder and file names
# take about 75 of them under the temporary directory.
LONGEST_TEMP_DIR_FOR_IPC = 30


class CannotServe(PlannerError):
    """The dashboards cannot be served; ``str(error)`` is one sentence that says why.

    >>> str(CannotServe("Port 8866 is in use; choose another with --port."))
    'Port 8866 is in use; choose another with --port.'
    """


def find_folder(in_repository: str, in_wheel: str, package: Path | None = None) -> Path:
    """Find a folder that stands beside the package in the repository and inside it in a wheel.

    Parameters
    ----------
    in_repository : str
        Path relative to the repository's root [-], such as ``"notebooks"``.
    in_wheel : str
        Path relative to the installed package [-].
    package : Path, optional
        The package's own folder [-]; by default where this file is.

    Returns
    -------
    Path
        The folder, absolute [-].

    Errors
    ------
    CannotServe
        Neither folder exists.

    Examples
    --------
    >>> find_folder("nowhere", "nowhere")
    Traceback (most recent call last):
        ...
    planner.publish.CannotServe: This installation has no folder nowhere; install it again.
    """
    package = package or Path(__file__).resolve().parent
    # The wheel's copy is looked for first: beside an installed package lie other packages,
    # and a folder of the same name there would not be ours.
    for folder in (package / in_wheel, package.parent / in_repository):
        if folder.is_dir():
            return folder
    raise CannotServe(f"This installation has no folder {in_wheel}; install it again.")


def template_name(voila_dir: Path) -> str:
    """Name the page template that a Voila folder brings.

    Parameters
    ----------
    voila_dir : Path
        Folder with ``templates/NAME/`` in it [-].

    Returns
    -------
    str
        The template's name [-]; Voila's own ``"lab"`` when the folder brings none.

    Examples
    --------
    >>> template_name(Path("/nonexistent"))
    'lab'
    """
    names = sorted(page.parent.name for page in voila_dir.glob("templates/*/index.html.j2"))
    return names[0] if names else "lab"


def pool_size_from(environment: Mapping[str, str]) -> int | None:
    """Read the number of kernels to keep ready from ``PLANNER_POOL_SIZE``.

    Parameters
    ----------
    environment : Mapping[str, str]
        Environment variables [-].

    Returns
    -------
    int or None
        Kernels per notebook [kernels]; None when the variable is unset or empty.

    Errors
    ------
    CannotServe
        The variable is not a whole number from 0 to 100.

    Examples
    --------
    >>> pool_size_from({"PLANNER_POOL_SIZE": "4"})
    4
    >>> pool_size_from({}) is None
    True
    >>> pool_size_from({"PLANNER_POOL_SIZE": "many"})
    Traceback (most recent call last):
        ...
    planner.publish.CannotServe: PLANNER_POOL_SIZE is 'many'; give a whole number from 0 to 100.
    """
    text = environment.get("PLANNER_POOL_SIZE", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= 100):
        raise CannotServe(f"PLANNER_POOL_SIZE is {text!r}; give a whole number from 0 to 100.")
    return int(text)


def kernel_transport(platform: str, temp_dir: str) -> str:
    """Choose how the server talks to its kernels.

    Unix sockets cannot clash as ports do: over TCP about one kernel in fifty that start
    together finds its port taken, and its page hangs for ever.

    Parameters
    ----------
    platform : str
        As in ``sys.platform`` [-].
    temp_dir : str
        Temporary directory, where the sockets would be [-].

    Returns
    -------
    str
        ``"ipc"``, or ``"tcp"`` where a socket's path would be too long or not exist [-].

    Examples
    --------
    >>> kernel_transport("linux", "/tmp")
    'ipc'
    >>> kernel_transport("darwin", "/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T")
    'tcp'
    """
    short = len(os.fsencode(temp_dir)) <= LONGEST_TEMP_DIR_FOR_IPC
    return "ipc" if platform != "win32" and short else "tcp"


def voila_command(
    port: int,
    *,
    notebooks: Path,
    voila_dir: Path,
    host: str = LOOPBACK,
    allowed_hosts: Sequence[str] = (),
    pool_size: int | None = None,
    open_browser: bool = False,
    config_dir: Path | None = None,
    transport: str = "tcp",
    verbose: bool = False,
) -> list[str]:
    """Write the command that serves a folder of notebooks.

    What keeps a public server safe is on this line and wins over every configuration file.
    What a workshop may tune (how many kernels, for how long) is in ``voila.json``.

    Parameters
    ----------
    port : int
        TCP port [-]; 0 lets the system choose a free one.
    notebooks : Path
        The folder to serve [-]; nothing outside it is reachable.
    voila_dir : Path
        Folder with our ``voila.json`` and ``templates/`` [-].
    host : str
        Address to listen on [-].
    allowed_hosts : Sequence[str]
        Further host names by which browsers may call the server [-]; empty allows the
        loopback names only when `host` is loopback, and every name otherwise.
    pool_size : int, optional
        Kernels to keep ready [kernels per notebook]; None leaves it to ``voila.json``.
    open_browser : bool
        Whether to open the page in a browser [-].
    config_dir : Path, optional
        Folder with a ``voila.json`` that overrides ours where it may [-].
    transport : str
        ``"ipc"`` or ``"tcp"``: see :func:`kernel_transport` [-].
    verbose : bool
        Whether to log every request and kernel, or errors only [-].

    Returns
    -------
    list[str]
        Program and arguments [-], fit for ``subprocess``.

    Examples
    --------
    >>> command = voila_command(0, notebooks=Path("/n"), voila_dir=Path("/v"), pool_size=2)
    >>> command[1:4]
    ['-m', 'planner.publish_server', '/n']
    >>> "--Voila.ip=127.0.0.1" in command and "--VoilaConfiguration.default_pool_size=2" in command
    True
    """
    flags = {
        "Voila.ip": host,
        "Voila.port": port,
        "Voila.port_retries": 0,
        "Voila.open_browser": open_browser,
        "Voila.log_level": "INFO" if verbose else "ERROR",
        "VoilaConfiguration.template": template_name(voila_dir),
        # A visitor's URL chooses neither template nor theme: both would miss the warm kernels.
        "VoilaConfiguration.allow_template_override": "NO",
        "VoilaConfiguration.allow_theme_override": "NO",
        "VoilaConfiguration.strip_sources": True,
        "VoilaConfiguration.show_tracebacks": False,
        "MappingKernelManager.allow_tracebacks": False,
        # Rendering while cells run can show the sources that are to be stripped.
        "VoilaConfiguration.progressive_rendering": False,
        # The pictures in the notebooks' text, and no other file.
        "VoilaConfiguration.file_allowlist": r"images/[\w-]+\.(png|svg)",
        "KernelManager.transport": transport,
    }
    if pool_size is not None:
        flags["VoilaConfiguration.default_pool_size"] = pool_size
        flags["VoilaConfiguration.preheat_kernel"] = pool_size > 0
    # Of all the extensions that may be installed, the page loads the widgets' and no others.
    lists = {
        "VoilaConfiguration.extension_allowlist": [
            "@jupyter-widgets/jupyterlab-manager",
            "@voila-dashboards/widgets-manager8",
            "anywidget",
        ],
        "VoilaConfiguration.extension_denylist": ["jupyterlab-plotly"],
        "Voila.config_file_paths": [str(folder) for folder in (config_dir, voila_dir) if folder],
        "WorkbookServer.allowed_hosts": allowed_hosts,
    }
    return [
        sys.executable,
        "-m",
        "planner.publish_server",
        str(notebooks),
        *(f"--{name}={value}" for name, value in flags.items()),
        *(f"--{name}={value}" for name, values in lists.items() for value in values),
    ]


def voila_environment(environment: Mapping[str, str], voila_dir: Path) -> dict[str, str]:
    """Give the server and its kernels their environment.

    Parameters
    ----------
    environment : Mapping[str, str]
        The present environment [-]; it is not changed.
    voila_dir : Path
        Folder named ``voila`` with ``templates/`` in it [-].

    Returns
    -------
    dict[str, str]
        The environment to run with [-].

    Examples
    --------
    >>> env = voila_environment({"JUPYTER_PATH": "/mine"}, Path("/repo/deploy/voila"))
    >>> env["JUPYTER_PATH"].split(os.pathsep)
    ['/repo/deploy', '/mine']
    >>> env["JUPYTER_WIDGETS_ECHO"]
    '0'
    """
    paths = [str(voila_dir.parent), environment.get("JUPYTER_PATH", "")]
    return {
        **environment,
        # Voila looks for voila/templates/ below each of these.
        "JUPYTER_PATH": os.pathsep.join(filter(None, paths)),
        "JUPYTER_PLATFORM_DIRS": "1",
        # The browser knows what it sent; hearing it again costs a frame for every slider step.
        "JUPYTER_WIDGETS_ECHO": "0",
        # The kernels' debugger is never used; this silences its warning in every log.
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def has_display(platform: str, environment: Mapping[str, str]) -> bool:
    """Tell whether a browser window could be seen here.

    Parameters
    ----------
    platform : str
        As in ``sys.platform`` [-].
    environment : Mapping[str, str]
        Environment variables [-].

    Returns
    -------
    bool
        True on macOS and Windows, and elsewhere when a display is named [-].

    Examples
    --------
    >>> has_display("linux", {}), has_display("linux", {"DISPLAY": ":0"})
    (False, True)
    """
    if platform in ("darwin", "win32"):
        return True
    return any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def check_port(host: str, port: int) -> None:
    """Make sure that a port can be listened on, before anything slow starts.

    Parameters
    ----------
    host : str
        Address to listen on [-].
    port : int
        TCP port [-]; 0 is always free.

    Returns
    -------
    None

    Errors
    ------
    CannotServe
        The port is out of range, in use or not permitted, or the host is not this machine's.

    Examples
    --------
    >>> check_port("127.0.0.1", 0)
    >>> check_port("127.0.0.1", 70000)
    Traceback (most recent call last):
        ...
    planner.publish.CannotServe: Port 70000 does not exist; choose one from 0 to 65535 with --port.
    """
    if not 0 <= port <= 65535:
        raise CannotServe(f"Port {port} does not exist; choose one from 0 to 65535 with --port.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":
                # A server that has just stopped leaves its port waiting; that is no clash.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CannotServe(listen_problem(host, port, error)) from None


def listen_problem(host: str, port: int, error: OSError) -> str:
    """Say in one sentence why a port cannot be listened on.

    Parameters
    ----------
    host : str
        Address [-].
    port : int
        TCP port [-].
    error : OSError
        What the system said [-].

    Returns
    -------
    str
        One sentence with a remedy [-].

    Examples
    --------
    >>> listen_problem("127.0.0.1", 8866, OSError(errno.EADDRINUSE, "in use"))
    'Port 8866 is in use; choose another with --port, or --port 0 for any free one.'
    """
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use; choose another with --port, or --port 0 for any free one."
    if error.errno == errno.EACCES:
        return f"Port {port} may not be used by this user; choose one above 1023 with --port."
    return f"This machine has no address {host}; choose another with --host."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a command line the options of ``planner serve``.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The parser to add to [-].

    Returns
    -------
    None

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> add_arguments(parser)
    >>> parser.parse_args(["--port", "0"]).port
    0
    """
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        metavar="N",
        help=f"port to serve on; 0 picks a free one (default {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--host",
        default=LOOPBACK,
        metavar="ADDRESS",
        help=f"address to listen on (default {LOOPBACK}: this machine only)",
    )
    parser.add_argument(
        "--allow-host",
        dest="allowed_hosts",
        action="append",
        default=[],
        metavar="NAME",
        help="host name by which browsers may call the server, as behind a proxy; may be repeated",
    )
    parser.add_argument(
        "--pool-size",
        type=int,
        metavar="N",
        help="kernels to keep ready for each notebook; 0 for none (or PLANNER_POOL_SIZE)",
    )
    parser.add_argument(
        "--config",
        dest="config_dir",
        type=Path,
        metavar="FOLDER",
        help="folder with a voila.json that tunes the server, as for a workshop",
    )
    parser.add_argument(
        "--no-browser",
        dest="open_browser",
        action="store_false",
        help="do not open a browser",
    )
    parser.add_argument(
        "--verbose",
        action="store_true",
        help="log every request and kernel, not errors only",
    )


def serve(
    port: int = DEFAULT_PORT,
    *,
    host: str = LOOPBACK,
    allowed_hosts: Sequence[str] = (),
    pool_size: int | None = None,
    open_browser: bool = True,
    config_dir: Path | None = None,
    notebooks: Path | None = None,
    verbose: bool = False,
) -> int:
    """Serve the dashboards until Ctrl+C; this process becomes the server.

    The address is printed when the server answers. A browser opens when there is a display.

    Parameters
    ----------
    port : int
        TCP port [-]; 0 picks a free one.
    host : str
        Address to listen on [-].
    allowed_hosts : Sequence[str]
        Further host names by which browsers may call the server [-].
    pool_size : int, optional
        Kernels to keep ready [kernels per notebook]; by default ``PLANNER_POOL_SIZE``, else
        what ``voila.json`` says.
    open_browser : bool
        Whether to open a browser when there is a display [-].
    config_dir : Path, optional
        Folder with a ``voila.json`` that tunes the server [-].
    notebooks : Path, optional
        Folder to serve [-]; by default the workbook's own.
    verbose : bool
        Whether to log every request and kernel, or errors only [-].

    Returns
    -------
    int
        Exit status [-]: 2 with one sentence on the error stream when it cannot serve.
        On success it does not return.

    Errors
    ------
    None; a problem becomes the exit status.

    Examples
    --------
    >>> import contextlib
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     serve(port=70000)
    Port 70000 does not exist; choose one from 0 to 65535 with --port.
    2
    """
    try:
        if pool_size is None:
            pool_size = pool_size_from(os.environ)
        elif not 0 <= pool_size <= 100:
            raise CannotServe(f"--pool-size is {pool_size}; give a number from 0 to 100.")
        if config_dir is not None and not config_dir.is_dir():
            raise CannotServe(f"--config {config_dir} is not a folder; name one with voila.json.")
        if notebooks is not None and not notebooks.is_dir():
            raise CannotServe(f"{notebooks} is not a folder; name one with notebooks in it.")
        check_port(host, port)
        voila_dir = find_folder("deploy/voila", "voila")
        command = voila_command(
            port,
            notebooks=notebooks.resolve() if notebooks else find_folder("notebooks", "notebooks"),
            voila_dir=voila_dir,
            host=host,
            allowed_hosts=allowed_hosts,
            pool_size=pool_size,
            open_browser=open_browser and has_display(sys.platform, os.environ),
            config_dir=config_dir.resolve() if config_dir else None,
            transport=kernel_transport(sys.platform, tempfile.gettempdir()),
            verbose=verbose,
        )
    except CannotServe as error:
        print(error, file=sys.stderr)
        return 2
    sys.stdout.flush()
    sys.stderr.flush()
    # Replacing this process, rather than starting another, lets Ctrl+C and a service manager's
    # signals reach the server itself.
    os.execve(command[0], command, voila_environment(os.environ, voila_dir))
