"""The entry of the command line `seesay`. It imports nothing that takes time, so that Ctrl-C ends the command quietly from the start."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from seesay.errors import SeeSayError, UserError

INTERRUPTED = 130


def run() -> None:
    """The command as a process of its own: once it is over, nothing says anything more."""
    try:
        main()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """Run the command. Exit status: 0 done, 1 not done, 2 bad input, 130 interrupted."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        from seesay.nodes.commands.app import app

        app(prog_name="seesay")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except UserError as error:
        sys.exit(_complain(error, 2))
    except SeeSayError as error:
        sys.exit(_complain(error, 1))


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


def _complain(error: Exception, status: int) -> int:
    sys.stderr.write(f"seesay: {' '.join(str(error).split())}\n")
    return status


if __name__ == "__main__":
    run()
