"""Models from addresses: fetched once, checked, and named where they cannot be."""

import functools
import hashlib
import http.server
import threading

import numpy as np
import pytest

import keras_inpaint as ki
from keras_inpaint.presets import references, resolve


@pytest.fixture
def site(tiny_model_path, monkeypatch, tmp_path):
    """A server on this machine with the tiny network; its address and the digest."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Handler, directory=str(tiny_model_path.parent))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    digest = hashlib.sha256(tiny_model_path.read_bytes()).hexdigest()
    yield f"http://127.0.0.1:{server.server_port}/{tiny_model_path.name}", digest
    server.shutdown()
    server.server_close()


def test_a_network_from_an_address(site, tiny_network, tmp_path):
    url, digest = site
    network = ki.load_model(f"{url}#sha256={digest}")
    for ours, theirs in zip(network.get_weights(), tiny_network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs)
    (kept,) = (tmp_path / "keras" / "keras_inpaint").iterdir()
    assert resolve(f"{url}#sha256={digest}") == kept
    photo, hole = np.zeros((40, 40, 3), np.uint8), np.eye(40, dtype=bool)
    assert ki.Inpainter(f"{url}#sha256={digest}")(photo, hole).shape == photo.shape


def test_without_the_right_digest_nothing_is_taken(site, tmp_path):
    url, digest = site
    with pytest.raises(ValueError, match="needs the file's digest"):
        resolve(url)
    with pytest.raises(ValueError, match="its SHA-256 should begin with 0000"):
        resolve(f"{url}#sha256={'0' * 64}")
    for wrong in (f"{url}#md5={digest}", f"{url}#sha256={digest[:10]}"):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            resolve(wrong)
    with pytest.raises(OSError, match="404"):
        resolve(f"{url}x.keras#sha256={digest}")
    folder = tmp_path / "keras" / "keras_inpaint"
    assert not folder.exists() or list(folder.iterdir()) == []


def test_hugging_face(site, monkeypatch):
    url, digest = site
    asked, found = [], resolve(f"{url}#sha256={digest}")

    def fetch(address, name, **options):
        asked.append((address, options["sha256"]))
        return found

    monkeypatch.setattr(references, "fetch", fetch)
    monkeypatch.setattr(references.importlib.util, "find_spec", lambda name: None)
    assert resolve("hf://owner/faces/sub/completion.keras") == found
    resolve(f"hf://owner/faces/completion.keras#sha256={digest}")
    assert asked == [
        ("https://huggingface.co/owner/faces/resolve/main/sub/completion.keras", None),
        ("https://huggingface.co/owner/faces/resolve/main/completion.keras", digest),
    ]
    with pytest.raises(ValueError, match="expected hf://OWNER/REPOSITORY/PATH"):
        resolve("hf://owner/faces")
