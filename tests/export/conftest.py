"""A browser with the page of `export/web`, and what Python makes of the same windows."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WEB = Path(__file__).parents[2] / "export" / "web"
SIZES = ((64, 64), (128, 128))


@pytest.fixture(scope="session")
def web_model(tiny_network, tmp_path_factory):
    """The tiny network as a TFLite file of two sizes."""
    from keras_inpaint.exporting.tflite import export_tflite

    path = tmp_path_factory.mktemp("web") / "model.tflite"
    return export_tflite(tiny_network, path, sizes=SIZES, name="tiny")


@pytest.fixture(scope="module")
def browser(browser):
    """The tests' browser; skips where LiteRT.js is missing."""
    if not (WEB / "node_modules" / "@litertjs" / "core").is_dir():
        pytest.skip(f"needs npm install in {WEB}")
    return browser


@pytest.fixture(scope="session")
def serve(tmp_path_factory):
    """A function that serves the page from a folder with a model, or none, and returns its URL."""
    running = []

    def start(model=None, *options):
        folder = tmp_path_factory.mktemp("site")
        for path in WEB.iterdir():
            if path.name != "model.tflite":
                (folder / path.name).symlink_to(path)
        if model is not None:
            (folder / "model.tflite").symlink_to(model)
        command = [sys.executable, WEB / "serve.py", "--port", "0", "--folder", folder, *options]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return running[-1].stdout.readline().strip()

    yield start
    for process in running:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="session")
def site(serve, web_model):
    """The URL of the page with its model."""
    return serve(web_model)


@pytest.fixture(scope="session")
def blended():
    """A function that blends what was generated into what it was generated for, by Poisson."""
    import cv2

    from keras_inpaint.inference.blending import solve_laplace

    def blend(generated, image, mask):
        hole = mask[..., 0] > 0
        cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
        domain = cv2.dilate(hole.astype(np.uint8), cross) > 0
        surface = solve_laplace(image - generated, domain & ~hole, domain, tolerance=1e-5)
        return np.where(mask > 0, generated + surface, image).astype(np.float32)

    return blend


@pytest.fixture(scope="session")
def by_python(web_model, blended):
    """A function that fills a photo's hole through given windows, with LiteRT in Python."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(web_model), num_threads=1)

    def resized(pixels, size, method):
        planes = [
            np.asarray(Image.fromarray(plane).resize(size[::-1], method))
            for plane in np.moveaxis(pixels.astype(np.float32), -1, 0)
        ]
        return np.stack(planes, axis=-1)

    def fill(photo, hole, windows):
        completed, left = photo[..., :3].copy(), hole.copy()
        for window in windows:
            rows = slice(window["top"], window["top"] + window["height"])
            columns = slice(window["left"], window["left"] + window["width"])
            missing = [(0, max(0, rows.stop - hole.shape[0])), (0, columns.stop - hole.shape[1])]
            missing[1] = (0, max(0, missing[1][1]))
            image = np.pad(completed, [*missing, (0, 0)], "reflect")[rows, columns]
            mask = np.pad(left, missing, "reflect")[rows, columns, None].astype(np.float32)
            image = image.astype(np.float32) / np.float32(255)
            size = tuple(int(side) for side in window["signature"].split("_")[1].split("x"))
            shape = (window["height"], window["width"])
            if shape != size:
                image = resized(image, size, Image.Resampling.BOX)
                mask = (resized(mask, size, Image.Resampling.BOX) > 0).astype(np.float32)
            runner = interpreter.get_signature_runner(window["signature"])
            generated = runner(image=image[None], mask=mask[None])["completed"][0]
            generated = blended(generated, image, mask)
            if shape != size:
                generated = resized(generated, shape, Image.Resampling.BICUBIC)
            generated = np.clip(np.rint(generated * 255), 0, 255).astype(np.uint8)
            box = window["box"]
            inside = (slice(box["top"], box["bottom"]), slice(box["left"], box["right"]))
            part = generated[
                box["top"] - rows.start : box["bottom"] - rows.start,
                box["left"] - columns.start : box["right"] - columns.start,
            ]
            completed[inside][left[inside]] = part[left[inside]]
            left[inside] = False
        assert not left.any()
        return completed

    return fill
