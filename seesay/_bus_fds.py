"""How readers get a publisher's ring, and hear of what is in it: over the Unix socket `<topic with dots>~<node>.ring`.

The first packet carries the ring's descriptor, each further one the envelope of a message whose buffers are in the ring. One system call
wakes the reader; through ZeroMQ two more threads would have to run. A ring and its connections end together.
"""

from __future__ import annotations

import os
import socket as sockets
import threading
import time
from pathlib import Path

from seesay._ring import RingReader, RingWriter
from seesay.errors import WireError

SUFFIX = ".ring"
MAX_PACKET_BYTES = 4096

_SETTLE_S = 0.1
_MAX_READERS = 256


class RingServer:
    """Serves the publisher's present ring to whoever connects. It never waits: no reader can hold it up."""

    def __init__(self, path: Path, ring: RingWriter) -> None:
        """`path` without the suffix; its lock is held, so what lies there is left over from a killed process."""
        self._path = path.with_name(path.name + SUFFIX)
        self._path.unlink(missing_ok=True)
        self._socket = sockets.socket(sockets.AF_UNIX, sockets.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        self._socket.bind(str(self._path))
        self._socket.listen(64)
        self._ring = ring
        self._lock = threading.Lock()
        self._new: list[tuple[float, sockets.socket]] = []
        self._readers: tuple[sockets.socket, ...] = ()

    def fileno(self) -> int:
        return self._socket.fileno()

    def replace(self, ring: RingWriter) -> None:
        """There is another ring; readers have to ask for it."""
        with self._lock:
            self._ring = ring
            self._hang_up()

    def answer(self) -> None:
        """Let in all who wait, and let go those who have left."""
        with self._lock:
            self._new = [(since, reader) for since, reader in self._new if _is_there(reader)]
            self._readers = tuple(reader for reader in self._readers if _is_there(reader))
            while True:
                try:
                    reader, _ = self._socket.accept()
                except OSError:
                    return
                reader.setblocking(False)
                try:
                    if len(self._new) + len(self._readers) >= _MAX_READERS:
                        raise ConnectionRefusedError
                    sockets.send_fds(reader, [self._ring.describe()], [self._ring.descriptor])
                    self._new.append((time.monotonic(), reader))
                except OSError:
                    reader.close()

    def settle(self) -> None:
        """Now and then: tell new readers from now on, if all that they were told through ZeroMQ before must have arrived."""
        if self._new:
            with self._lock:
                known_before = time.monotonic() - _SETTLE_S
                self._readers += tuple(reader for since, reader in self._new if since < known_before)
                self._new = [(since, reader) for since, reader in self._new if since >= known_before]

    def send(self, envelope: bytes) -> int:
        """Tell the readers, and return how many there are. One that has left too much unread misses this one."""
        if len(envelope) > MAX_PACKET_BYTES:
            return 0
        told = 0
        for reader in self._readers:
            try:
                reader.send(envelope)
                told += 1
            except BlockingIOError:
                told += 1
            except OSError:
                self.answer()
        return told

    def close(self) -> None:
        with self._lock:
            self._hang_up()
            self._socket.close()
        self._path.unlink(missing_ok=True)

    def _hang_up(self) -> None:
        for reader in (*self._readers, *(reader for _, reader in self._new)):
            reader.close()
        self._readers, self._new = (), []


def _is_there(reader: sockets.socket) -> bool:
    """A reader that has left, or that speaks, which none does, is hung up on."""
    try:
        reader.recv(1)
    except BlockingIOError:
        return True
    except OSError:
        pass
    reader.close()
    return False


class RingLink:
    """A reader's connection to a publisher. Poll it for reading; `ring` is None until the first packet has come."""

    ring: RingReader | None = None

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

    def open(self) -> RingReader | None:
        """Take in the first packet and return the ring; None if it has not come. Raises WireError if it brings no ring."""
        descriptors: list[int] = []
        try:
            description, descriptors, _, _ = sockets.recv_fds(self._socket, 64, 4, sockets.MSG_CMSG_CLOEXEC)
            if len(descriptors) != 1:
                raise WireError(f"ring: expected one descriptor, got {len(descriptors)}")
            self.ring = RingReader(description, descriptors[0])
            return self.ring
        except BlockingIOError:
            return None
        except OSError as error:
            raise WireError(f"ring: {error.strerror}") from error
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def receive(self) -> bytes | None:
        """Return the next envelope, None if there is none, nothing once the publisher has hung up."""
        try:
            return self._socket.recv(MAX_PACKET_BYTES)
        except BlockingIOError:
            return None
        except ConnectionError:
            return b""

    def close(self) -> None:
        self._socket.close()
