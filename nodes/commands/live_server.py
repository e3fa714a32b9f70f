"""The page of `seesay view`, served to one person: loopback only, reading only, and only below a path that nobody else is told.

Other users of this host reach loopback too, but not the session; the random path keeps its pictures from them.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from seesay.errors import ConfigError
from seesay.nodes.commands.live_view import LiveView
from seesay.nodes.plain import dumps

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
SILENCE_S = 30.0
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; "
    "img-src 'self' blob: data:; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@contextmanager
def serving(view: LiveView, port: int) -> Iterator[str]:
    """Serve `view` in other threads; yield the page's address, which holds a new secret. port: 0 takes a free one.

    Raises ConfigError if the port is taken.
    """
    secret = secrets.token_urlsafe(16)
    try:
        server = _Server((HOST, port), _handler(view, secret))
    except OSError as error:
        raise ConfigError(f"port: expected a free one, got {port} ({error.strerror}); choose another with --port, 0 takes any") from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="page")
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}/{secret}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        _log.debug("a browser went away", exc_info=True)


def _handler(view: LiveView, secret: str) -> type[BaseHTTPRequestHandler]:
    here = Path(__file__).parent
    files = {"": ("live_page.html", "text/html; charset=utf-8"), "page.js": ("live_page.js", "text/javascript; charset=utf-8")}

    class Handler(BaseHTTPRequestHandler):
        timeout = SILENCE_S
        server_version, sys_version = "seesay", ""

        def do_GET(self) -> None:
            port = self.connection.getsockname()[1]
            if self.headers.get("Host") not in [f"{HOST}:{port}", f"localhost:{port}"]:   # another name may be a foreign page's trick
                self.send_error(403, "Ask for this host by its own name")
                return
            given, _, path = self.path.removeprefix("/").partition("/")
            if not secrets.compare_digest(given.encode(), secret.encode()):
                self.send_error(403, "Open the whole address that seesay view has printed")
                return
            body, kind = _answer(path)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    def _answer(path: str) -> tuple[bytes | None, str]:
        if path in files:
            name, kind = files[path]
            return (here / name).read_bytes(), kind
        if path == "state.json":
            return dumps(view.state()).encode(), "application/json"
        if path == "decision.svg":
            svg = view.svg()
            return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).encode() if svg else None, "image/svg+xml"
        if path.startswith("camera/") and path.endswith(".jpg"):
            return view.jpeg(path.removeprefix("camera/").removesuffix(".jpg")), "image/jpeg"
        return None, ""

    return Handler


def run_view(port: int, session: str) -> None:
    """Serve the page of a running session until Ctrl-C."""
    from seesay.bus import Bus
    from seesay.nodes import discovery, sessions
    from seesay.nodes.commands.shell import say

    directory = sessions.running(session)
    with Bus(directory, discovery.own_name()) as bus:
        view = LiveView(bus, directory)
        with serving(view, port) as address:
            say(f"session {directory.name} at {address} (Ctrl-C ends it)")
            while True:
                view.pump(0.5)
