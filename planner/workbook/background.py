"""What takes seconds: a thread of its own works, and the page asks how far it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Literal

from planner.errors import PlannerError

Progress = Callable[..., bool]
FAILED = "Something went wrong in the workbook itself; the rest goes on."


class Background:
    """One slow answer. The work is told by its progress when nobody wants it any more.

    >>> work = Background(lambda progress: 6 * 7)
    >>> work.wait()
    >>> work.status, work.result
    ('done', 42)
    """

    def __init__(self, make: Callable[[Progress], Any]) -> None:
        self.share = 0.0
        """How far it is [fraction]."""
        self.result: Any = None
        self.text = ""
        """Why it failed, as a sentence."""
        self.status: Literal["running", "done", "cancelled", "failed"] = "running"
        self._make = make
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Want it no more; what it still finds is thrown away."""
        self._stop.set()
        self.status = "cancelled"

    def wait(self, longest_s: float | None = None) -> None:
        """Wait until it is done.

        Parameters
        ----------
        longest_s : float, optional
            At most this long [s].
        """
        self._thread.join(longest_s)

    def _progress(self, done: float, total: float = 1.0) -> bool:
        """Whether to go on."""
        self.share = min(float(done) / float(total), 1.0) if total else 0.0
        return not self._stop.is_set()

    def _work(self) -> None:
        try:
            found = self._make(self._progress)
        except PlannerError as error:
            self._end("failed", text=str(error))
        except Exception:
            logging.getLogger(__name__).exception("background work failed")
            self._end("failed", text=FAILED)
        else:
            self._end("done", found)

    def _end(self, status: Literal["done", "failed"], result: Any = None, text: str = "") -> None:
        if not self._stop.is_set():
            self.result, self.text, self.share = result, text, 1.0
            self.status = status
