"""How a node's process ends: when it is told to, when whoever started it is gone, and within two seconds in any case."""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GRACE_S = 1.7
LATE = 3  # exit status of a process that did not stop in time
INTERRUPTED = 130  # of one that was stopped before its node was ready

_log = logging.getLogger(__name__)
_PR_SET_PDEATHSIG = 1


class Lifetime:
    """Turns SIGTERM, SIGINT and the end of the parent into `stop`, at once, also while the main thread is busy in a library.

    The signals wake a thread through a pipe, whichever thread they hit: libraries such as OpenBLAS start threads on import, so blocking
    the signals in ours would not do. To be made in the main thread. `on_stop` runs in the woken thread; a process that is still
    there `GRACE_S` seconds later is ended with status 3 and its stack in the log. A node that only prepares has nothing to end well:
    it is `interruptible`, and if a library does not let itself be interrupted, the process ends without complaint.
    """

    def __init__(self, parent: int = 0) -> None:
        """parent: process id of the supervisor; 0 means that nobody's end matters."""
        self.stop = threading.Event()
        self._parent = parent
        self._finished = threading.Event()
        self._on_stop: Callable[[], None] = lambda: None
        self._prepares: Callable[[], bool] = lambda: False
        self._signalled = self._interrupted = False
        self._lock = threading.Lock()
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)
        if parent and sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        threading.Thread(target=self._await_signal, name="signals", daemon=True).start()
        if parent:
            threading.Thread(target=self._watch_parent, name="parent", daemon=True).start()

    def on_stop(self, action: Callable[[], None]) -> None:
        """Set what is called on the stop; called now if the stop has come already."""
        with self._lock:
            self._on_stop = action
        if self.stop.is_set():
            action()

    @contextmanager
    def interruptible(self, prepares: Callable[[], bool]) -> Iterator[None]:
        """In the block, a signal raises KeyboardInterrupt as long as `prepares()`, at once if it came before. For the main thread."""
        self._prepares = prepares
        try:
            if self._signalled:
                self._interrupt()
            yield
        except Exception as error:
            if self._interrupted:   # a library has made an error of its own of it
                raise KeyboardInterrupt from error
            raise
        finally:
            if not self._interrupted:
                self._prepares = lambda: False

    @property
    def has_parent(self) -> bool:
        """Whether a supervisor started the process."""
        return self._parent != 0

    def finish(self) -> None:
        """Say that the node has ended, so that nothing ends it by force. After an interruption the process ends here: libraries that are
        imported by half are not to be taken down in order, and those that are take their time."""
        self._finished.set()
        if self._interrupted:
            logging.shutdown()
            os._exit(INTERRUPTED)

    def _await_signal(self) -> None:
        while os.read(self._woken, 1)[0] not in (signal.SIGTERM, signal.SIGINT):
            pass
        self._end()

    def _watch_parent(self) -> None:
        while not self._finished.wait(1.0):
            if os.getppid() != self._parent:
                self._end()
                return

    def _end(self) -> None:
        self.stop.set()
        with self._lock:
            action = self._on_stop
        action()
        if not self._finished.wait(GRACE_S):
            if self._prepares():
                _log.info("stopped before the node was ready")
                os._exit(INTERRUPTED)
            _log.warning("not stopped after %.1f s: ended by force", GRACE_S)
            faulthandler.dump_traceback()
            os._exit(LATE)

    def _handle(self, number: int, frame: object) -> None:
        """Python's own handler, which runs in the main thread whenever that gets to it: the pipe has woken the other one already."""
        again, self._signalled = self._signalled, True
        if self._prepares() and not again:
            self._interrupt()

    def _interrupt(self) -> None:
        self._interrupted = True
        raise KeyboardInterrupt
