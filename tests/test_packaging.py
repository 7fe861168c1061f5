"""What is shipped: the lock, the wheel, and the images for Binder."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hatchling.builders.wheel import WheelBuilder

# Written apart, so that this file passes its own test.
REGISTRY_HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry.npm" + "js",
    "npm" + "js.org",
    "deb.deb" + "ian.org",
]


@pytest.fixture(scope="module")
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def lock(repository):
    return (repository / "requirements.lock").read_text().splitlines()


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


# ---------------------------------------------------------------- the repository


def committed_files(repository):
    """What a commit would hold; in an unpacked archive, everything but what is made here."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=repository,
        capture_output=True,
    )
    if listing.returncode == 0:
        paths = (repository / name for name in listing.stdout.decode().split("\0") if name)
    else:
        made = {".venv", ".git", "build", "dist", "__pycache__", ".hypothesis"}
        paths = (p for p in repository.rglob("*") if not made & set(p.parts))
    return [path for path in paths if path.is_file()]


def test_no_file_names_a_registry(repository):
    hosts = re.compile("|".join(map(re.escape, REGISTRY_HOSTS)).encode())
    naming = [path for path in committed_files(repository) if hosts.search(path.read_bytes())]
    assert naming == []


def test_scripts_are_sound(repository):
    scripts = [".ci/run", ".ci/make-venv", ".ci/find-browser", "binder/postBuild", "binder/start"]
    for script in scripts:
        assert os.access(repository / script, os.X_OK), script
        subprocess.run(["bash", "-n", repository / script], check=True)


def test_make_explains_itself(repository):
    text = subprocess.run(
        ["make", "--no-print-directory"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for target in ("setup", "dashboard", "test", "lint", "format", "lock", "browser", "clean"):
        assert re.search(rf"^  {target} +\w", text, re.MULTILINE), text


# ---------------------------------------------------------------- the lock


def test_the_lock_pins_every_line_and_names_no_place(lock):
    for line in lock:
        assert re.fullmatch(r"[\w.\[\]-]+==[\w.!+]+( ; [^;]+)?", line), line


def test_the_lock_covers_what_the_project_asks_for(project, lock):
    locked = {canonical(re.match(r"[\w.-]+", line)[0]) for line in lock}
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["notebooks"],
        *(line for group in project["dependency-groups"].values() for line in group),
        *project["build-system"]["requires"],
    ]
    assert {canonical(re.match(r"[\w.-]+", line)[0]) for line in wanted} <= locked


# ---------------------------------------------------------------- the wheel


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory):
    """The wheel, built by the backend in this environment: nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    built = list(WheelBuilder(str(repository)).build(directory=str(folder), versions=["standard"]))
    return Path(built[0])


def test_the_wheel_carries_what_a_user_needs(repository, wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    folders = {
        "data": "planner/data",
        "notebooks": "planner/notebooks",
        "deploy/voila": "planner/voila",
        "planner/workbook/static": "planner/workbook/static",
    }
    for source, target in folders.items():
        files = [
            path.relative_to(repository / source).as_posix()
            for path in committed_files(repository)
            if path.is_relative_to(repository / source)
        ]
        assert files, source
        missing = [name for name in files if f"{target}/{name}" not in names]
        assert missing == []
    assert "planner/py.typed" in names or "planner/__init__.py" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_carries_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"planner"}
    assert not [name for name in names if "__pycache__" in name or ".ipynb_checkpoints" in name]


def test_the_wheel_declares_its_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        entry = next(n for n in archive.namelist() if n.endswith("entry_points.txt"))
        assert "planner = planner.cli:main" in archive.read(entry).decode()


def get(url):
    """Status, location and text of a page, without following anywhere."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=120)
    connection.request("GET", parts.path)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, response.getheader("Location"), text


@pytest.mark.slow
@pytest.mark.xdist_group("serving")
def test_an_unpacked_wheel_serves_the_workbook(wheel, tmp_path, start_server):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = "from planner.publish import serve; serve(0, pool_size=0, open_browser=False)"
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    server = start_server([sys.executable, "-c", code], env)
    status, location, _ = get(server.url)
    assert (status, location) == (302, "/voila/render/0-start-here.ipynb")
    status, _, text = get(server.url.rstrip("/") + location)
    assert status == 200
    assert "/voila/templates/planner/static/" in text


# ---------------------------------------------------------------- Binder


def test_binder_reads_the_lock(repository):
    requirements = (repository / "binder" / "requirements.txt").read_text().split()
    assert requirements == ["-r", "../requirements.lock"]
    assert (
        (repository / "binder" / requirements[1])
        .resolve()
        .samefile(repository / "requirements.lock")
    )
    runtime = (repository / "binder" / "runtime.txt").read_text().strip()
    assert runtime == "python-3.11"


@pytest.fixture(scope="module")
def image(repository, tmp_path_factory):
    """An environment as repo2docker would leave it, with this one's packages.

    Returns its variables. `pip` is a stand-in that notes what it was asked to do.
    """
    folder = tmp_path_factory.mktemp("image")
    prefix = folder / "env"
    venv.create(prefix, symlinks=True)
    site = next(prefix.glob("lib/python*/site-packages"))
    here = [path for path in sys.path if path.endswith("site-packages")]
    (site / "packages.pth").write_text("\n".join([*here, str(repository)]))
    (site / "pip").mkdir()
    (site / "pip" / "__init__.py").touch()
    (site / "pip" / "__main__.py").write_text(
        f"import sys\nopen({str(folder / 'pip.txt')!r}, 'a').write(' '.join(sys.argv[1:]))\n"
    )
    # What the packages bring along: settings here, and files below at JUPYTER_PATH.
    shutil.copytree(Path(sys.prefix, "etc", "jupyter"), prefix / "etc" / "jupyter")
    home = folder / "home"
    home.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    env |= {
        "HOME": str(home),
        "PATH": f"{prefix / 'bin'}{os.pathsep}{env['PATH']}",
        "JUPYTER_PATH": str(Path(sys.prefix, "share", "jupyter")),
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    subprocess.run(
        ["bash", "binder/postBuild"], cwd=repository, env=env, check=True, stdin=subprocess.DEVNULL
    )
    installed = (folder / "pip.txt").read_text()
    assert installed == "install --no-cache-dir --no-deps --no-build-isolation --editable ."
    return env


def test_post_build_stays_out_of_the_home_directory(image):
    assert list(Path(image["HOME"]).iterdir()) == []


@pytest.mark.slow
def test_the_image_loads_voila(image):
    listing = subprocess.run(
        ["python", "-m", "jupyter_server.extension.serverextension", "list"],
        env=image,
        capture_output=True,
        text=True,
        check=True,
        executable=shutil.which("python", path=image["PATH"]),
    )
    plain = re.sub(r"\x1b\[\d+m", "", listing.stdout + listing.stderr)
    assert re.search(r"voila\.server_extension enabled", plain), plain
    assert re.search(r"voila\.server_extension +OK", plain), plain


@pytest.mark.slow
@pytest.mark.xdist_group("serving")
def test_the_image_opens_the_first_dashboard(image, repository, start_server, tmp_path):
    root = tmp_path / "repository"
    shutil.copytree(repository / "notebooks", root / "notebooks")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    python = shutil.which("python", path=image["PATH"])
    command = [
        *("bash", str(repository / "binder" / "start")),
        *(python, "-m", "jupyter_server", "--ip=127.0.0.1", f"--port={port}", "--allow-root"),
        *("--no-browser", "--ServerApp.port_retries=0", "--IdentityProvider.token="),
        f"--ServerApp.root_dir={root}",
    ]
    url = f"http://127.0.0.1:{port}/"
    server = start_server(command, image, url=url)
    status, _, text = get(f"{url}voila/render/notebooks/0-start-here.ipynb")
    assert status == 200, server.log()
    assert "/voila/templates/planner/static/" in text
    bundle = re.search(r"/voila/templates/planner/static/plotly[^\"']+", text)
    assert bundle and get(url.rstrip("/") + bundle[0].split("?")[0])[0] == 200
