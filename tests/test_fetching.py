import hashlib
import http.server
import socket
import threading

import numpy as np
import pytest

from keras_inpaint import fetching
from keras_inpaint.fetching import fetch

CONTENT = np.random.default_rng(0).bytes(900_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; breaks off, or knows no ranges, where the server is told so."""

    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        if self.path != "/weights":
            self.send_error(404, "Not Found")
            return
        wanted = self.headers.get("Range") if server.ranges else None
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.end_headers()
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = len(CONTENT)
        if server.breaks:
            end = min(end, start + server.breaks.pop(0))
        self.wfile.write(CONTENT[start:end])
        if end < len(CONTENT):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.ranges, made.breaks, made.asked = True, [], []
    made.url = f"http://127.0.0.1:{made.server_port}/weights"
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def test_a_file_is_fetched_once(server, tmp_path):
    seen = []
    path = fetch(
        server.url, "a", sha256=DIGEST, folder=tmp_path, progress=lambda *n: seen.append(n)
    )
    assert path == tmp_path / "a" and path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert fetch(server.url, "a", sha256=DIGEST[:8].upper(), folder=tmp_path) == path
    assert server.asked == [None]
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_transfer_that_breaks_off_is_taken_up_again(server, tmp_path, ranges):
    server.ranges, server.breaks = ranges, [300_000, 500_000]
    path = fetch(server.url, "a", sha256=DIGEST, folder=tmp_path)
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 3 and server.asked[1].startswith("bytes=")


def test_the_next_call_goes_on_where_one_gave_up(server, tmp_path):
    server.breaks = [200_000, 0]
    with pytest.raises(OSError, match="weights cannot be fetched: "):
        fetch(server.url, "a", sha256=DIGEST, folder=tmp_path)
    assert 0 < (tmp_path / "a.part").stat().st_size <= 200_000
    assert fetch(server.url, "a", sha256=DIGEST, folder=tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] != "bytes=0-" and server.asked[-1].startswith("bytes=")


def test_a_part_that_was_whole_is_taken(server, tmp_path):
    (tmp_path / "a.part").write_bytes(CONTENT)
    assert fetch(server.url, "a", sha256=DIGEST, folder=tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT + b"more", b"x" * 1000])
def test_a_part_of_another_file_is_no_part_of_this_one(server, tmp_path, content):
    (tmp_path / "a.part").write_bytes(content)
    if len(content) < len(CONTENT):
        with pytest.raises(ValueError, match="its SHA-256 should begin with"):
            fetch(server.url, "a", sha256=DIGEST, folder=tmp_path)
        assert list(tmp_path.iterdir()) == []
    assert fetch(server.url, "a", sha256=DIGEST, folder=tmp_path).read_bytes() == CONTENT


def test_another_content_is_refused_and_not_kept(server, tmp_path):
    with pytest.raises(ValueError, match=f"should begin with 00000000 and is {DIGEST[:16]}"):
        fetch(server.url, "a", sha256="00000000", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_fetched_anew(server, tmp_path):
    (tmp_path / "a").write_bytes(b"damaged")
    assert fetch(server.url, "a", sha256=DIGEST, folder=tmp_path).read_bytes() == CONTENT


def test_what_does_not_answer_is_one_line(server, tmp_path):
    with pytest.raises(OSError, match=r"/nothing: the server returned 404 Not Found$"):
        fetch(server.url.replace("weights", "nothing"), "a", folder=tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OSError, match=rf"127.0.0.1:{port}/x cannot be fetched: .*refused"):
        fetch(f"http://127.0.0.1:{port}/x", "a", folder=tmp_path)
    with pytest.raises(OSError, match=r"nowhere.invalid/x cannot be fetched: "):
        fetch("https://nowhere.invalid/x", "a", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_files_are_kept_in_the_folder_of_keras(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert fetching.cache_folder() == tmp_path / "keras_inpaint"
