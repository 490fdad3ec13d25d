"""A real server of pages on this machine: what claims about addresses are looked up at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site(ThreadingHTTPServer):
    """Serves the pages that were published, and says 404 to all else."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.pages: dict[str, bytes] = {}

    @property
    def host(self) -> str:
        """The host and port, as an operator allows them."""
        return f"127.0.0.1:{self.server_port}"

    def publish(self, path: str, text: str) -> None:
        """Have a page from now on."""
        self.pages[path] = text.encode()

    def url(self, path: str) -> str:
        """Return the address of a page, there or not."""
        return f"http://{self.host}{path}"


class _Answer(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path)
        self.send_response(404 if page is None else 200)
        self.send_header("content-length", str(len(page or b"")))
        self.end_headers()
        self.wfile.write(page or b"")

    def log_message(self, *said: object) -> None:
        return None


@contextmanager
def serving() -> Iterator[Site]:
    """Serve until the end of the block."""
    with Site() as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join()
