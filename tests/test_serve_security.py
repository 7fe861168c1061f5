"""What a stranger can and cannot do to a served workbook.

Each test is a raw client against a real server with the product's own settings, on a folder
of small notebooks.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
import websocket

from planner.publish_server import CURRENT_SUBPROTOCOL, is_well_formed

pytestmark = pytest.mark.xdist_group("serving")

START = "0-start-here.ipynb"
RENDER = f"/voila/render/{START}"

# What the first notebook runs: a widget, and what a kernel knows of its visitor.
SOURCE = """\
# A comment that no visitor should read: source-marker.
import os
import ipywidgets
print("visitor", os.environ.get("QUERY_STRING"), os.environ.get("VOILA_REQUEST_URL"))
ipywidgets.IntSlider(description="Users")
"""


def notebook(source: str) -> nbformat.NotebookNode:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(source)]
    return nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=cells)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "notebooks"
    (folder / "images").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    nbformat.write(notebook(SOURCE), folder / START)
    nbformat.write(notebook("1"), folder / ".hidden" / "draft.ipynb")
    (folder / "images" / "chart.png").write_bytes(b"picture")
    (folder / "images" / "page.html").write_text("secret")
    (folder / "helper.py").write_text("secret = 1")
    (folder / "voila.json").write_text("{}")
    (folder.parent / "outside.png").write_bytes(b"secret")
    nbformat.write(notebook("1"), folder.parent / "outside.ipynb")
    return folder


@pytest.fixture(scope="module")
def server(serve_notebooks, folder):
    return serve_notebooks(folder, pool_size=1, extra=("--VoilaKernelManager.fill_delay=0.1",))


class Client:
    """A client that sends paths and headers as they are."""

    def __init__(self, server):
        self.server = server
        self.host = urlsplit(server.url).netloc

    def request(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        response.text = response.read().decode("utf-8", errors="replace")
        connection.close()
        return response

    def get(self, path, **headers):
        return self.request("GET", path, **headers)

    def visit(self, path=RENDER):
        """Open the page; its kernel's id and the cookies."""
        response = self.get(path)
        assert response.status == 200, response.text
        kernel_id = re.search(r'"kernelId": "([\w-]+)"', response.text)[1]
        cookies = "; ".join(
            value.split(";")[0] for name, value in response.getheaders() if name == "Set-Cookie"
        )
        return kernel_id, cookies

    def has_kernel(self, kernel_id):
        return self.get(f"/api/kernels/{kernel_id}", Referer=self.server.url).status == 200

    def connect(self, kernel_id, **options):
        options = {"subprotocols": [CURRENT_SUBPROTOCOL], **options}
        session_id = uuid.uuid4().hex
        return websocket.create_connection(
            f"ws://{self.host}/api/kernels/{kernel_id}/channels?session_id={session_id}",
            timeout=30,
            **options,
        )


@pytest.fixture(scope="module")
def client(server):
    return Client(server)


def frame(channel, msg_type, content):
    """A websocket frame of the current protocol."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": msg_type,
        "session": "test",
        "username": "",
        "date": "2026-01-01T00:00:00Z",
        "version": "5.3",
    }
    parts = [channel.encode()]
    parts += [json.dumps(part).encode() for part in (header, {}, {}, content)]
    offsets = [8 * (2 + len(parts))]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    numbers = [len(offsets), *offsets]
    return b"".join([*(number.to_bytes(8, "little") for number in numbers), *parts])


def received_types(connection, until):
    """Types of the messages received, up to and including `until`."""
    types = []
    while until not in types:
        message = connection.recv()
        start, end = (int.from_bytes(message[i : i + 8], "little") for i in (16, 24))
        types.append(json.loads(message[start:end])["msg_type"])
    return types


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


# ---------------------------------------------------------------- pages and files


def test_root_leads_to_the_first_notebook_with_its_link(client):
    response = client.get("/?s=abc")
    assert response.status == 302
    assert response.getheader("Location") == f"{RENDER}?s=abc"


def test_page_shows_no_sources(client):
    text = client.get(RENDER).text
    assert "visitor" in text
    assert "source-marker" not in text
    assert "source-marker" not in client.get(f"{RENDER}?template=lab&theme=dark").text


def test_page_may_only_talk_to_this_server(client):
    policy = client.get(RENDER).getheader("Content-Security-Policy")
    assert "default-src 'self'" in policy
    assert "http" not in policy


def test_a_link_reaches_no_process(client):
    """Neither this visitor's kernel nor the next one's sees the scenario in the link."""
    for _ in range(3):
        assert "visitor" in client.get(f"{RENDER}?s=private-scenario").text
        time.sleep(1)
    assert "private-scenario" not in client.get(RENDER).text
    assert "private-scenario" not in client.server.log()


def test_a_long_link_still_opens_the_page(client):
    assert client.get(f"{RENDER}?s={'x' * 200_000}").status == 200


def test_pictures_are_served(client):
    response = client.get("/voila/files/images/chart.png")
    assert (response.status, response.text) == (200, "picture")


@pytest.mark.parametrize(
    "path",
    [
        "/voila/files/",
        "/voila/files/0-start-here.ipynb",
        "/voila/files/helper.py",
        "/voila/files/voila.json",
        "/voila/files/images/page.html",
        "/voila/files/images",
        "/voila/files/../outside.png",
        "/voila/files/images/../../outside.png",
        "/voila/files/%2e%2e/outside.png",
        "/voila/files/images/%2e%2e/%2e%2e/outside.png",
        "/voila/files/images/..%2f..%2foutside.png",
        "/voila/files/images/%252e%252e/outside.png",
        "/voila/files/images/..%5c..%5coutside.png",
        "/voila/files//etc/passwd",
        "/voila/files/%2fetc%2fpasswd",
        "/voila/static/../../../../etc/passwd",
        "/voila/static/%2e%2e/%2e%2e/app.py",
        "/voila/templates/lab/static/../../../../../etc/passwd",
        "/voila/templates/lab/static/%2e%2e/index.html.j2",
        "/voila/templates/..%2flab/static/x",
        "/voila/templates/%2e%2e/static/x",
        "/voila/templates/lab",
        "/voila/templates/lab/static/",
        "/voila/labextensions/../../../../etc/passwd",
        "/voila/labextensions/%2e%2e/%2e%2e/%2e%2e/pyvenv.cfg",
        "/voila/api/themes/../../../../etc/passwd",
        "/voila/render/",
        "/voila/render/images/chart.png",
        "/voila/render/helper.py",
        "/voila/render/../outside.ipynb",
        "/voila/render/%2e%2e/outside.ipynb",
        "/voila/render/..%2foutside.ipynb",
        "/voila/render/.hidden/draft.ipynb",
        "/voila/render/%00",
    ],
)
def test_nothing_else_is_served(client, path):
    response = client.get(path, Referer=client.server.url)
    assert response.status in (400, 403, 404), response.text[:200]
    assert "secret" not in response.text
    assert "root:" not in response.text


@pytest.mark.parametrize(
    "path",
    [
        "/api/contents",
        "/api/kernels",
        "/api/kernelspecs",
        "/api/me",
        "/api/sessions",
        "/api/spec.yaml",
        "/api/status",
        "/api/terminals",
        "/files/helper.py",
        "/lab",
        "/login",
        "/nbconvert/html/0-start-here.ipynb",
        "/terminals/websocket/1",
        "/tree",
        "/view/0-start-here.ipynb",
        "/voila/api/contents",
        "/voila/api/contents/images",
        "/voila/query/00000000-0000-0000-0000-000000000000",
        "/voila/tree",
    ],
)
def test_nothing_lists_or_opens_the_server(client, path):
    assert client.get(path, Referer=client.server.url).status == 404


def test_unknown_kernels_and_methods_are_refused(client):
    unknown = f"/api/kernels/{uuid.uuid4()}"
    assert client.get(unknown, Referer=client.server.url).status == 404
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert client.request(method, RENDER).status in (403, 405)
    assert client.request("POST", "/api/kernels", body="{}").status in (403, 404)


def test_foreign_host_names_are_refused(client):
    """A page elsewhere whose name was pointed at this machine calls us by that name."""
    assert client.get(RENDER, Host="planner.attacker.example").status == 403
    assert client.get("/", Host="planner.attacker.example:8866").status == 403


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.2 is no address")
def test_the_server_listens_on_one_address_only(server):
    """A server that listened on every interface would answer here too."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", urlsplit(server.url).port), timeout=2).close()


# ---------------------------------------------------------------- the websocket


@pytest.fixture(scope="module")
def kernel_id(client):
    return client.visit()[0]


@pytest.mark.parametrize("channel", ["shell", "control", "stdin", "iopub"])
def test_code_sent_over_the_websocket_is_dropped(client, kernel_id, tmp_path, channel):
    proof = tmp_path / "proof"
    code = f"open({str(proof)!r}, 'w').close()"
    connection = client.connect(kernel_id)
    requests = {
        "execute_request": {"code": code, "silent": False, "user_expressions": {"a": code}},
        "complete_request": {"code": "op", "cursor_pos": 2},
        "inspect_request": {"code": "open", "cursor_pos": 4, "detail_level": 1},
        "history_request": {"hist_access_type": "tail", "n": 10},
        "is_complete_request": {"code": code},
        "debug_request": {"type": "request", "seq": 1, "command": "initialize", "arguments": {}},
        "interrupt_request": {},
        "shutdown_request": {"restart": False},
        "input_reply": {"value": code},
    }
    for msg_type, content in requests.items():
        connection.send_binary(frame(channel, msg_type, content))
    connection.send_binary(frame("shell", "kernel_info_request", {}))
    types = received_types(connection, until="kernel_info_reply")
    connection.close()
    assert set(types) <= {"status", "kernel_info_reply"}
    assert not proof.exists()
    assert client.has_kernel(kernel_id)


def test_widget_messages_are_allowed(client, kernel_id):
    connection = client.connect(kernel_id)
    connection.send_binary(frame("shell", "comm_info_request", {"target_name": "jupyter.widget"}))
    assert "comm_info_reply" in received_types(connection, until="comm_info_reply")
    connection.close()


@pytest.mark.parametrize("origin", ["http://attacker.example", "null", "http://127.0.0.1:1"])
def test_foreign_origins_are_refused(client, kernel_id, origin):
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        client.connect(kernel_id, origin=origin)
    assert refusal.value.status_code == 403


@pytest.mark.parametrize(
    "subprotocols", [None, ["v0.kernel.websocket.jupyter.org"], ["chat", "x" + CURRENT_SUBPROTOCOL]]
)
def test_only_the_current_subprotocol_is_spoken(client, kernel_id, subprotocols):
    with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
        client.connect(kernel_id, subprotocols=subprotocols)
    assert refusal.value.status_code == 400


GOOD = frame("shell", "kernel_info_request", {})
MALFORMED = {
    "text": '{"header": {"msg_type": "execute_request"}}',
    "empty": b"",
    "endless offsets": (2**60).to_bytes(8, "little"),
    "no offsets": (0).to_bytes(8, "little") + GOOD[8:],
    "too many offsets": (10_000).to_bytes(8, "little") + bytes(80_008),
    "offset beyond the end": GOOD[:8] + (2**40).to_bytes(8, "little") + GOOD[16:],
    "offsets backwards": GOOD[:24] + GOOD[16:24] + GOOD[16:24] + GOOD[40:],
    "cut short": GOOD[:-1],
    "deep header": GOOD.replace(b'"session": "test"', b'"session": ' + b"[" * 6),
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED)
def test_an_odd_client_is_cut_off_and_slows_nobody(client, kernel_id, message):
    connection = client.connect(kernel_id)
    send = connection.send if isinstance(message, str) else connection.send_binary
    began = time.monotonic()
    send(message)
    assert client.get("/").status == 302
    assert time.monotonic() - began < 2
    while True:  # whatever the kernel had to say before, then the end
        opcode, data = connection.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            break
    connection.shutdown()
    assert int.from_bytes(data[:2], "big") == 1002
    assert client.has_kernel(kernel_id)


def test_frames_are_measured():
    assert is_well_formed(GOOD)
    assert not any(is_well_formed(message) for message in MALFORMED.values())
    nested = b'{"msg_type": "comm_msg", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    start = 8 * 8
    offsets = [start, start, start + len(nested)] + [start + len(nested)] * 4
    numbers = [len(offsets), *offsets]
    deep = b"".join(number.to_bytes(8, "little") for number in numbers) + nested
    assert not is_well_formed(deep)


# ---------------------------------------------------------------- kernels come and go


def test_a_kernel_ends_only_for_its_own_page(client):
    """The closing page sends its cookie's token as a form field; strangers have none."""
    kernel_id, cookies = client.visit()
    path = f"/voila/api/shutdown/{kernel_id}"
    assert client.request("POST", path).status == 403
    assert client.request("POST", path, Cookie=cookies).status == 403
    assert client.request("DELETE", f"/api/kernels/{kernel_id}", Cookie=cookies).status == 403
    assert client.has_kernel(kernel_id)

    token = re.search(r"_xsrf=([^;]*)", cookies)[1]
    form = {"Cookie": cookies, "Content_Type": "application/x-www-form-urlencoded"}
    foreign = client.request(
        "POST", path, body=f"_xsrf={token}", Origin="http://attacker.example", **form
    )
    assert foreign.status in (403, 404)
    assert client.has_kernel(kernel_id)

    assert client.request("POST", path, body=f"_xsrf={token}", **form).status == 204
    assert not client.has_kernel(kernel_id)


@pytest.fixture(scope="module")
def impatient(serve_notebooks, folder):
    """A server that ends kernels soon, and has a pool of one that is slow to fill."""
    settings = {
        "WorkbookKernelManager.orphan_grace_s": 2,
        "MappingKernelManager.cull_interval": 1,
        "MappingKernelManager.cull_idle_timeout": 3600,
        "VoilaKernelManager.fill_delay": 300,
        "WorkbookServer.max_kernels": 3,
    }
    extra = tuple(f"--{name}={value}" for name, value in settings.items())
    return Client(serve_notebooks(folder, pool_size=1, extra=extra))


def test_kernels_without_a_page_end_and_those_with_one_stay(impatient):
    left, _ = impatient.visit()  # a client that never opens the websocket
    kept, _ = impatient.visit()
    connection = impatient.connect(kept)
    wait_until(lambda: not impatient.has_kernel(left), 15)
    time.sleep(3)
    assert impatient.has_kernel(kept)
    connection.close()  # a browser that was killed
    wait_until(lambda: not impatient.has_kernel(kept), 15)


def test_a_visitor_beyond_the_pool_does_not_wait_for_it(impatient):
    impatient.visit()
    began = time.monotonic()
    impatient.visit()
    assert time.monotonic() - began < 60


def test_a_full_house_says_so(impatient):
    held = []  # pages that stay open, so that no kernel ends however slow the machine is
    answers = []

    def is_full():
        answers.append(impatient.get(RENDER))
        if answers[-1].status == 200:
            kernel_id = re.search(r'"kernelId": "([\w-]+)"', answers[-1].text)[1]
            held.append(impatient.connect(kernel_id))
        return answers[-1].status == 503

    wait_until(is_full, 120)
    assert len(held) <= 3
    assert answers[-1].text == "The workbook is full; please try again in a minute.\n"
    assert answers[-1].getheader("Retry-After")
    for connection in held:
        connection.close()
    wait_until(lambda: impatient.get(RENDER).status == 200, 60)


# ---------------------------------------------------------------- starting and stopping


def serve_in_process(*arguments):
    code = f"import sys; from planner.publish import serve; sys.exit(serve({', '.join(arguments)}))"
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def test_a_port_in_use_is_one_sentence_and_status_2(server):
    port = urlsplit(server.url).port
    ended = serve_in_process(str(port), "open_browser=False")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        f"Port {port} is in use; choose another with --port, or --port 0 for any free one.\n"
    )


def test_a_foreign_address_is_one_sentence_and_status_2():
    ended = serve_in_process("0", "host='192.0.2.1'", "open_browser=False")
    assert ended.returncode == 2
    assert ended.stderr == ("This machine has no address 192.0.2.1; choose another with --host.\n")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_asked_and_leaves_nothing_behind(serve_notebooks, folder, how):
    server = serve_notebooks(folder, pool_size=0)
    Client(server).visit()
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    kernels = children.read_text().split() if children.exists() else []
    os.kill(server.process.pid, how)
    assert server.process.wait(20) == 0
    assert "Traceback" not in server.log()
    assert not any(Path("/proc", kernel).exists() for kernel in kernels)
