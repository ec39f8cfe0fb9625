"""Serve this folder on the local machine, with the headers required for threads in a page.

python serve.py [--port 8000] [--no-isolate] [--folder FOLDER]
"""

import argparse
import functools
import gzip
import io
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

#: With both headers, a page is `crossOriginIsolated` and may share memory between threads.
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


@functools.lru_cache(16)
def _compressed(path: Path, changed: int) -> bytes:
    return gzip.compress(path.read_bytes(), 9)


class Handler(SimpleHTTPRequestHandler):
    """Serves files without caching, compressed if the browser accepts it."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | TYPES

    def __init__(self, *args, headers: dict[str, str], **options) -> None:
        self._extra_headers = headers
        super().__init__(*args, **options)

    def send_head(self) -> BinaryIO | None:
        """Send the status and the headers; return the body."""
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        accepted = self.headers.get("Accept-Encoding", "")
        if path.suffix == ".png" or not path.is_file():
            return super().send_head()
        brotli = path.with_name(f"{path.name}.br")  # written by `npm install`
        if "br" in accepted and brotli.is_file():
            coding, body = "br", brotli.read_bytes()
        elif "gzip" in accepted:
            coding, body = "gzip", _compressed(path, path.stat().st_mtime_ns)
        else:
            return super().send_head()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", coding)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)

    def end_headers(self) -> None:
        """Add the headers of every response."""
        for name, value in {"Cache-Control": "no-cache", **self._extra_headers}.items():
            self.send_header(name, value)
        super().end_headers()

    def log_request(self, code="-", size="-") -> None:
        """Log only errors."""
        if str(code)[:1] in "45":
            super().log_request(code, size)


def make_server(folder: Path, port: int = 8000, isolate: bool = True) -> ThreadingHTTPServer:
    """Return a server on 127.0.0.1.

    Args:
        folder: The folder to serve.
        port: Int, the port; 0 chooses a free one.
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
