"""Serve this folder on the local machine, with the headers that threads in a page need.

python serve.py [--port 8000] [--no-isolate] [--folder FOLDER]
"""

import argparse
import functools
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

#: With both, a page is `crossOriginIsolated` and may share memory between threads.
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".tflite": "application/octet-stream",
}


class Handler(SimpleHTTPRequestHandler):
    """Serves files, always the newest."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | TYPES

    def __init__(self, *args, headers: dict[str, str], **options) -> None:
        self._extra_headers = headers
        super().__init__(*args, **options)

    def end_headers(self) -> None:
        """Add the headers of every answer."""
        for name, value in {"Cache-Control": "no-cache", **self._extra_headers}.items():
            self.send_header(name, value)
        super().end_headers()

    def log_request(self, code="-", size="-") -> None:
        """Say only what went wrong."""
        if str(code)[:1] in "45":
            super().log_request(code, size)


def make_server(folder: Path, port: int = 8000, isolate: bool = True) -> ThreadingHTTPServer:
    """Return a server on 127.0.0.1.

    Args:
        folder: What to serve.
        port: Int, its port; 0 takes a free one.
        isolate: Whether pages are cross-origin isolated, so that they may use threads.
    """
    headers = ISOLATION if isolate else {}
    handler = functools.partial(Handler, directory=str(folder), headers=headers)
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


def main() -> None:
    """Parse the command line and serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    parser.add_argument("--isolate", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    with make_server(options.folder, options.port, options.isolate) as server:
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
