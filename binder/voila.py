"""Settings of Voila inside a Jupyter server, as on Binder or a JupyterHub.

There the visitor owns the server, with its notebooks, its terminal and its limits, so this
file is about the page: the same template, no sources, and no kernel left behind. Kernels
cannot be started ahead of visitors here.
"""

from pathlib import Path

from jupyter_core.paths import jupyter_path


def set_token(handler, **_):
    """Give the page the token with which it ends its kernel when it closes."""
    return handler.xsrf_token and None


folders = [Path(folder, "templates", "planner") for folder in jupyter_path("voila")]

c = get_config()  # noqa: F821
c.VoilaConfiguration.template = "planner" if any(map(Path.is_dir, folders)) else "lab"
c.VoilaConfiguration.prelaunch_hook = set_token
c.VoilaConfiguration.strip_sources = True
c.VoilaConfiguration.show_tracebacks = False
c.VoilaConfiguration.allow_template_override = "NO"
c.VoilaConfiguration.allow_theme_override = "NO"
c.VoilaConfiguration.file_allowlist = [r"notebooks/images/[\w-]+\.(png|svg)"]
c.VoilaConfiguration.extension_allowlist = [
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
]
c.VoilaConfiguration.extension_denylist = ["jupyterlab-plotly"]
