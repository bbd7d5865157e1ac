"""A web server on the loopback address, for executors that ask one; its own process."""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """`/good` answers at once, `/gone` with 410, `/slow` when a minute is over."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(60)
        body = b'{"answer": 42}'
        self.send_response(410 if self.path == "/gone" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()
