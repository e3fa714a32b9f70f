"""How a reader gets a publisher's ring: it connects to the Unix socket `<topic with dots>~<node>.ring` and is sent the descriptor."""

from __future__ import annotations

import contextlib
import os
import socket as sockets
from pathlib import Path

from seesay._ring import RingReader, RingWriter
from seesay.errors import WireError

SUFFIX = ".ring"


class RingServer:
    """Hands the publisher's present ring to whoever connects. It never waits: no reader can hold it up."""

    def __init__(self, path: Path) -> None:
        """`path` without the suffix; its lock is held, so what lies there is left over from a killed process."""
        self._path = path.with_name(path.name + SUFFIX)
        self._path.unlink(missing_ok=True)
        self._socket = sockets.socket(sockets.AF_UNIX, sockets.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        self._socket.bind(str(self._path))
        self._socket.listen(64)
        self.ring: RingWriter | None = None

    def fileno(self) -> int:
        return self._socket.fileno()

    def answer(self) -> None:
        """Serve all who wait."""
        while True:
            try:
                reader, _ = self._socket.accept()
            except OSError:
                return
            ring = self.ring
            with reader, contextlib.suppress(OSError):
                reader.setblocking(False)
                if ring is not None:
                    sockets.send_fds(reader, [ring.describe()], [ring.descriptor])

    def close(self) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)


class RingRequest:
    """A reader's question for a ring. Poll it for reading, then `finish`."""

    def __init__(self, path: Path) -> None:
        """`path` without the suffix. Raises OSError if nobody listens there."""
        self._socket = sockets.socket(sockets.AF_UNIX, sockets.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        try:
            self._socket.connect(str(path.with_name(path.name + SUFFIX)))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def finish(self) -> RingReader:
        """Return the ring. Raises WireError if there is none or it is not what a publisher makes."""
        descriptors: list[int] = []
        with self._socket:
            try:
                description, descriptors, _, _ = sockets.recv_fds(self._socket, 64, 4, sockets.MSG_CMSG_CLOEXEC)
                if len(descriptors) != 1:
                    raise WireError(f"ring: expected one descriptor, got {len(descriptors)}")
                return RingReader(description, descriptors[0])
            except OSError as error:
                raise WireError(f"ring: {error.strerror}") from error
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    def close(self) -> None:
        self._socket.close()
