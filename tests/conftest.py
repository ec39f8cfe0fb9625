"""Fixtures that several rooms' tests share."""

import functools
import importlib
import os
import shutil
import sys
import textwrap

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest


def pytest_runtest_setup(item):
    """Skip what computes in bfloat16 where oneDNN was limited so that no such op runs."""
    asks = "bfloat16" in item.name or item.get_closest_marker("bfloat16")
    if asks and "ONEDNN_MAX_CPU_ISA" in os.environ and not _runs_bfloat16():
        pytest.skip("ONEDNN_MAX_CPU_ISA leaves no convolution in bfloat16")


@functools.cache
def _runs_bfloat16():
    from keras_inpaint.training.devices import bfloat16_gain

    return bfloat16_gain() > 0


@pytest.fixture(autouse=True)
def facts_of_folders(monkeypatch, tmp_path_factory):
    """Keep what was found out about the tests' folders out of the user's cache."""
    where = tmp_path_factory.getbasetemp() / "keras"
    monkeypatch.setattr("keras_inpaint.data.known.cache_folder", lambda: where)


@pytest.fixture
def importable(tmp_path, monkeypatch):
    """Return what makes a module of a source text, which other processes can import as well."""

    def importable(name, source):
        folder = tmp_path / "modules"
        folder.mkdir()
        (folder / f"{name}.py").write_text(textwrap.dedent(source))
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, name, raising=False)  # that of an earlier test
        return importlib.import_module(name)

    return importable


@pytest.fixture(scope="session")
def tiny_network():
    """A completion network small enough for a test, with spread-out outputs; do not change it."""
    import keras

    import keras_inpaint as ki

    keras.utils.set_random_seed(7)
    network = ki.build_completion_network(width=0.0625, mean_pixel=(0.5, 0.4, 0.3))
    rng = np.random.default_rng(7)
    norms = [layer for layer in network.layers if layer.name.startswith("norm_")]
    for norm in norms:
        norm.gamma.assign(rng.uniform(0.7, 1.3, norm.gamma.shape))
        norm.beta.assign(rng.uniform(-0.3, 0.5, norm.beta.shape))
        norm.momentum = 0.0
    coarse = rng.random((2, 8, 8, 3), "float32")
    image = np.repeat(np.repeat(coarse, 8, axis=1), 8, axis=2)
    mask = np.zeros((2, 64, 64, 1), "float32")
    mask[:, 16:40, 20:50] = 1
    network({"image": image, "mask": mask}, training=True)
    for norm in norms:
        norm.momentum = 0.9
    return network


@pytest.fixture(scope="session")
def tiny_model_path(tiny_network, tmp_path_factory):
    """The tiny network as a `.keras` file."""
    path = tmp_path_factory.mktemp("model") / "completion.keras"
    tiny_network.save(path)
    return path


@pytest.fixture(scope="session")
def photo():
    """A smooth colour picture with some texture, uint8 `(96, 120, 3)`."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:96, 0:120]
    base = np.stack([x * 2, y * 2.5, 255 - x - y], axis=-1)
    texture = 20 * np.sin(x / 5)[..., None] + rng.normal(0, 6, (96, 120, 3))
    return np.clip(base + texture, 0, 255).astype("uint8")


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium; skips where something is missing.

    Its event loop runs in the tests' own thread, so it must not outlive the module: others start
    loops of their own.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs chromium on the path")
    flags = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=flags)
        yield opened
        opened.close()
