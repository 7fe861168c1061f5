"""Voila with less on offer: the server that `planner.publish` starts.

Voila out of the box offers more than a published workbook needs, and forgets kernels. What
changes here, and why, is said at each class. Nothing of Voila's own code is replaced in place.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import threading
import time
import webbrowser
from functools import partial
from pathlib import Path
from urllib.parse import quote

from jupyter_core.paths import jupyter_path
from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import FileFindHandler, JupyterHandler
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.handlers import KernelHandler
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from jupyter_server.utils import url_path_join
from jupyterlab_server.themes_handler import ThemesHandler
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from traitlets import Float, Integer, List, Unicode
from voila.app import Voila
from voila.request_info_handler import RequestInfoSocketHandler
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.static_file_handler import (
    AllowListFileHandler,
    MultiStaticFileHandler,
    TemplateStaticFileHandler,
)
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from planner.publish import listen_problem

CURRENT_SUBPROTOCOL = "v1.kernel.websocket.jupyter.org"

# What widgets need. Voila also lets a page send `shutdown_request`; a page ends its kernel
# over HTTP, where the request can be checked, so that one goes too.
ALLOWED_MESSAGES = [
    "comm_open",
    "comm_close",
    "comm_msg",
    "comm_info_request",
    "kernel_info_request",
]

# Channel, header, parent header, metadata and content, then the binary buffers of one message.
FEWEST_OFFSETS = 6
MOST_OFFSETS = FEWEST_OFFSETS + 256

# Links carry a whole scenario. Tornado's own limit for all headers is 64 KiB, and answers
# beyond it with an empty page; the dashboard then could not say what was wrong.
LONGEST_HEADERS_BYTES = 1024 * 1024


def is_well_formed(message: object) -> bool:
    """Tell whether a websocket message is a frame of the current kernel protocol.

    The server's own parser believes the frame's first number and loops that often: one
    frame of eight bytes could hold every visitor up. So the frame is measured first.

    Parameters
    ----------
    message : object
        What came over the websocket [-]: bytes, or text of another protocol.

    Returns
    -------
    bool
        Whether offsets, parts and header are as the protocol says [-].

    Examples
    --------
    >>> is_well_formed("{}"), is_well_formed((2**60).to_bytes(8, "little"))
    (False, False)
    """
    if not isinstance(message, bytes) or len(message) < 8:
        return False
    count = int.from_bytes(message[:8], "little")
    start = 8 * (1 + count)
    if not FEWEST_OFFSETS <= count <= MOST_OFFSETS or len(message) < start:
        return False
    offsets = [int.from_bytes(message[i : i + 8], "little") for i in range(8, start, 8)]
    if offsets[0] != start or offsets[-1] != len(message) or offsets != sorted(offsets):
        return False
    try:
        header = json.loads(message[offsets[1] : offsets[2]])
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and isinstance(header.get("msg_type"), str)


class WorkbookConnection(ZMQChannelsWebsocketConnection):
    """A page's websocket to its kernel: the current protocol, well formed, or none.

    Older subprotocols reach an older parser, which nothing here needs.
    """

    async def prepare(self):
        offered = self.websocket_handler.request.headers.get("Sec-WebSocket-Protocol", "")
        if CURRENT_SUBPROTOCOL not in re.split(r"\s*,\s*", offered):
            raise web.HTTPError(400, "Only the current kernel protocol is spoken here.")
        await super().prepare()

    def connect(self):
        # A step of a slider is a few small messages; without this each may wait 40 ms for the
        # browser's delayed acknowledgement of the one before.
        self.websocket_handler.set_nodelay(True)
        return super().connect()

    def handle_incoming_message(self, incoming_msg):
        if is_well_formed(incoming_msg):
            super().handle_incoming_message(incoming_msg)
        else:
            self.log.warning("Closing a websocket that sent a malformed message.")
            self.websocket_handler.close(1002, "malformed message")


class WorkbookKernelManager(AsyncMappingKernelManager):
    """Ends the kernels that nobody looks at any more.

    A closing page asks for its kernel to end, but a killed browser, a lost network or a
    visitor that never ran the page's scripts does not. So each sweep notes which kernels
    have no page, and ends those that had none for `orphan_grace_s`. Idle time as Jupyter
    counts it will not do for these: a kernel that waited in the pool has been idle for
    long when its page arrives, and would be ended before the page connects.

    Voila keeps pooled kernels away from this method.
    """

    orphan_grace_s = Float(
        60.0, config=True, help="How long a kernel without a page is kept, in seconds."
    )

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._alone_since: dict[str, float] = {}

    def notify_connect(self, kernel_id):
        self._alone_since.pop(kernel_id, None)
        super().notify_connect(kernel_id)

    async def cull_kernel_if_idle(self, kernel_id):
        if self._kernel_connections.get(kernel_id, 0) > 0:
            await super().cull_kernel_if_idle(kernel_id)
            return
        # In a crowd a page may take longer than this to render, before it can connect.
        working = self._kernels[kernel_id].execution_state in ("starting", "busy")
        grace_s = self.orphan_grace_s * (10 if working else 1)
        now = time.monotonic()
        if now - self._alone_since.setdefault(kernel_id, now) >= grace_s:
            self.log.info("Ending kernel %s: it has had no page for a while.", kernel_id)
            await ensure_async(self.shutdown_kernel(kernel_id))

    def remove_kernel(self, kernel_id):
        self._alone_since.pop(kernel_id, None)
        return super().remove_kernel(kernel_id)


class WorkbookHandler(TornadoVoilaHandler):
    """Renders the workbook's own notebooks, and nothing else."""

    @web.authenticated
    async def get(self, path=None):
        application = self.settings["voila"]
        if path not in application.notebook_names():
            raise web.HTTPError(404)
        if len(self.kernel_manager) >= application.max_kernels:
            self.set_status(503)
            self.set_header("Retry-After", "60")
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish("The workbook is full; please try again in a minute.\n")
            return
        # Reading the token sets its cookie. The page shows it when it closes, to end its
        # kernel; a page from the pool was rendered before there was a visitor to give a
        # cookie to, so without this every visit leaves a kernel behind. The other way would
        # be to check no token at all.
        self.xsrf_token  # noqa: B018
        # The link carries a visitor's whole scenario, and the page hands it to its kernel
        # itself. Voila would also put it into this kernel's environment, and the next one's.
        self.request.query = ""
        self.request.uri = self.request.path
        self.request.arguments = {}
        self.request.query_arguments = {}
        try:
            await super().get(path)
        finally:
            # Voila keeps every request's description for a kernel to fetch. None does.
            RequestInfoSocketHandler._cache.clear()

    def should_use_rendered_notebook(self, notebook_data, pool_size, template, theme, arguments):
        # Voila counts kernels that are yet to start as ready, and a visitor who draws one
        # waits out the delay before the pool is filled. Starting afresh is sooner.
        pool = getattr(self.kernel_manager, "_pools", {}).get(self.path_args[0], [])
        while pool and pool[0].done() and (pool[0].cancelled() or pool[0].exception()):
            pool.pop(0)
        ready = bool(pool) and pool[0].done()
        return ready and super().should_use_rendered_notebook(
            notebook_data, pool_size, template, theme, arguments
        )


class StartHandler(JupyterHandler):
    """Sends whoever asks for the root to the first notebook, link and all."""

    @web.authenticated
    def get(self):
        names = self.settings["voila"].notebook_names()
        if not names:
            raise web.HTTPError(404, "There is no notebook to show.")
        query = f"?{self.request.query}" if self.request.query else ""
        self.redirect(url_path_join(self.base_url, "voila/render", quote(names[0])) + query)


class TemplateFileHandler(TemplateStaticFileHandler):
    """Template files by well-formed paths; other paths do not exist rather than fail."""

    def parse_url_path(self, path):
        if not re.fullmatch(r"[A-Za-z][\w-]*/static(/[^./\\][^/\\]*)+", path):
            raise web.HTTPError(404)
        return super().parse_url_path(path)


# What a page needs: of the handlers that Voila offers, those of these classes stay. The
# folder listings, the login pages and the request descriptions go.
KEPT_HANDLERS = {
    KernelHandler: KernelHandler,
    VoilaKernelWebsocketHandler: VoilaKernelWebsocketHandler,
    VoilaShutdownKernelHandler: VoilaShutdownKernelHandler,
    TemplateStaticFileHandler: TemplateFileHandler,
    MultiStaticFileHandler: MultiStaticFileHandler,
    ThemesHandler: ThemesHandler,
    FileFindHandler: FileFindHandler,
    AllowListFileHandler: AllowListFileHandler,
    TornadoVoilaHandler: WorkbookHandler,
}

# No page of ours talks to anyone but this server, and the browser holds it to that.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'self'",
        # Widgets' code arrives as text and runs from blob addresses.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "frame-ancestors 'self'",
        "base-uri 'self'",
        "form-action 'self'",
        "object-src 'none'",
    ]
)


class WorkbookServer(Voila):
    """Voila for a folder of notebooks: see the module's words and `planner.publish`."""

    name = "voila"

    allowed_hosts = List(
        Unicode(), config=True, help="Further host names by which browsers may call the server."
    )
    max_kernels = Integer(
        100, config=True, help="Visitors beyond this many kernels are asked to try again."
    )
    fill_gap_s = Float(
        2.0, config=True, help="Pause between the notebooks whose first kernels start, in seconds."
    )

    @property
    def themes_dir(self):
        # Voila takes the first folder named voila on Jupyter's path for its own, and the
        # first is ours; the themes are in the other.
        folders = [Path(path, "themes") for path in jupyter_path("voila")]
        return str(next((folder for folder in folders if folder.is_dir()), folders[0]))

    def notebook_names(self) -> list[str]:
        """List the notebooks that are served, as paths below the served folder, in order.

        Returns
        -------
        list[str]
            Paths with forward slashes [-].

        Examples
        --------
        >>> WorkbookServer(root_dir="/nonexistent").notebook_names()
        []
        """
        root = Path(self.root_dir)
        paths = (path.relative_to(root) for path in root.rglob("*.ipynb"))
        return sorted(
            path.as_posix()
            for path in paths
            if not any(part.startswith(".") for part in path.parts)
        )

    def _add_chart_bundle(self):
        """Show the template the chart bundle, which lies in the package for JupyterLab's sake.

        Voila joins folders of one template that lie on several of Jupyter's paths, so a
        folder that lives as long as the server does joins the two.
        """
        bundle = Path(__file__).resolve().parent / "workbook" / "static" / "vendor"
        share = Path(self.connection_dir, "share")
        static = share / "voila" / "templates" / self.voila_configuration.template / "static"
        if bundle.is_dir():
            shutil.copytree(bundle, static)
            paths = [str(share), os.environ.get("JUPYTER_PATH", "")]
            os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, paths))

    def init_settings(self):
        self.voila_configuration.multi_kernel_manager_class = WorkbookKernelManager
        self.kernel_websocket_connection_class = WorkbookConnection
        # All pools at once would start a kernel for every notebook in the same second; they
        # are filled one after another instead, once the server listens.
        self.config.VoilaKernelManager.preheat_denylist = [".ipynb"]
        # A profile of the server's own: no history shared between kernels, and none of the
        # user's start-up files.
        os.environ["IPYTHONDIR"] = str(Path(self.connection_dir, "ipython"))
        self._add_chart_bundle()
        settings = super().init_settings()
        self.kernel_manager.allowed_message_types = ALLOWED_MESSAGES

        loopback = self.ip in ("localhost", "127.0.0.1", "::1")
        settings |= {
            # A page elsewhere can point a name of its own at this machine; the name it
            # calls the server by gives it away.
            "allow_remote_access": not loopback and not self.allowed_hosts,
            "local_hostnames": ["localhost", *self.allowed_hosts],
            # Worth its time over a network, not within one machine.
            "compress_response": not loopback,
            "headers": {
                "Content-Security-Policy": CONTENT_SECURITY_POLICY,
                "Referrer-Policy": "same-origin",
            },
        }
        return settings

    def init_handlers(self):
        handlers = [
            (pattern, KEPT_HANDLERS[handler], *options)
            for pattern, handler, *options in super().init_handlers()
            if handler in KEPT_HANDLERS
        ]
        return [*handlers, (self.server_url, StartHandler)]

    def listen(self):
        """Bind, say where, and serve until asked to stop.

        Errors
        ------
        SystemExit
            With status 2 after one sentence, when the port cannot be listened on.
        """
        try:
            sockets = bind_sockets(self.port, self.ip)
        except OSError as error:
            print(listen_problem(self.ip, self.port, error), file=sys.stderr)
            self.exit(2)
        self.port = sockets[0].getsockname()[1]
        server = HTTPServer(self.app, max_header_size=LONGEST_HEADERS_BYTES)
        server.add_sockets(sockets)

        self.ioloop = IOLoop.current()
        signal.signal(signal.SIGINT, self._handle_signal_stop)
        if self.voila_configuration.preheat_kernel:
            for index, name in enumerate(self.notebook_names()):
                fill = partial(self.kernel_manager.fill_if_needed, delay=0, notebook_name=name)
                self.ioloop.call_later(index * self.fill_gap_s, fill)
        print(f"The workbook is open at {self.connection_url} (Ctrl+C to stop)", flush=True)
        if self.open_browser:
            threading.Thread(
                target=webbrowser.open, args=[self.connection_url], daemon=True
            ).start()
        try:
            self.ioloop.start()
        finally:
            server.stop()
            self.stop()


if __name__ == "__main__":
    WorkbookServer.launch_instance()
