"""The parts of the page of `export/web` that need no model, each by itself."""

import gzip
import io
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WEB = Path(__file__).parents[2] / "export" / "web"


@pytest.fixture(scope="module")
def bare_page(browser, serve):
    """The page without a model, to import its modules."""
    page = browser.new_page()
    page.goto(serve())
    yield page
    page.close()


def test_without_a_model_the_page_says_how_to_make_one(bare_page):
    alert = bare_page.locator("#alert")
    alert.wait_for()
    assert "There is no model.tflite here" in alert.inner_text()
    assert "keras-inpaint export" in alert.inner_text()


@pytest.mark.parametrize(
    ("size", "wanted", "filter", "method"),
    [
        ((37, 61), (16, 20), "BOX", Image.Resampling.BOX),
        ((40, 40), (40, 40), "CUBIC", Image.Resampling.BICUBIC),
        ((16, 24), (41, 77), "CUBIC", Image.Resampling.BICUBIC),
    ],
)
def test_pictures_are_scaled_as_pillow_scales_them(bare_page, size, wanted, filter, method):
    picture = np.random.default_rng(1).random(size, dtype=np.float32)
    expected = np.asarray(Image.fromarray(picture).resize(wanted[::-1], method))
    part = {"left": 3, "top": 2, "right": wanted[1] - 1, "bottom": wanted[0] - 4}
    scaled = bare_page.evaluate(
        """async ({ pixels, size, wanted, filter, part }) => {
          const module = await import("./js/resample.js");
          const picture = { pixels, width: size[1], height: size[0], channels: 1 };
          return [...module.resample(picture, wanted[1], wanted[0], module[filter], part)];
        }""",
        {
            "pixels": picture.ravel().tolist(),
            "size": size,
            "wanted": wanted,
            "filter": filter,
            "part": part,
        },
    )
    expected = expected[part["top"] : part["bottom"], part["left"] : part["right"]]
    np.testing.assert_allclose(np.reshape(scaled, expected.shape), expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_written_photo_is_read_back_the_same(bare_page, mode):
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (23, 31, 4), dtype=np.uint8)
    pixels[5:15] = 128 + np.arange(31, dtype=np.uint8)[:, None] // 3  # smooth rows
    if mode == "RGB":
        pixels[..., 3] = 255
    written = bare_page.evaluate(
        """async ({ pixels, width, height }) => {
          const { photoPng } = await import("./js/png.js");
          const photo = { pixels: Uint8ClampedArray.from(pixels), width, height, profile: null };
          return [...new Uint8Array(await (await photoPng(photo)).arrayBuffer())];
        }""",
        {"pixels": pixels.ravel().tolist(), "width": 31, "height": 23},
    )
    with Image.open(io.BytesIO(bytes(written))) as image:
        image.load()
    assert image.mode == mode
    np.testing.assert_array_equal(np.asarray(image), pixels[..., : len(mode)])


@pytest.mark.parametrize("seed", range(4))
def test_windows_cover_every_hole(bare_page, seed):
    rng = np.random.default_rng(seed)
    width, height = int(rng.integers(20, 700)), int(rng.integers(20, 500))
    hole = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 9))):
        top, left = int(rng.integers(height)), int(rng.integers(width))
        hole[top : top + int(rng.integers(1, 90)), left : left + int(rng.integers(1, 200))] = 1
    windows = bare_page.evaluate(
        """async ({ pixels, width, height }) => {
          const { planWindows } = await import("./js/windows.js");
          const sizes = [64, 128].map((size) => ({ name: `${size}`, width: size, height: size }));
          return planWindows({ pixels: Uint8Array.from(pixels), width, height }, sizes);
        }""",
        {"pixels": hole.ravel().tolist(), "width": width, "height": height},
    )
    taken = np.zeros_like(hole)
    for window in windows:
        box = window["box"]
        taken[box["top"] : box["bottom"], box["left"] : box["right"]] = 1
        assert box["right"] - box["left"] <= window["width"] / 2 + 1
        assert box["bottom"] - box["top"] <= window["height"] / 2 + 1
        assert window["left"] <= box["left"] and box["right"] <= window["left"] + window["width"]
        assert window["top"] <= box["top"] and box["bottom"] <= window["top"] + window["height"]
        assert window["left"] >= 0 and window["top"] >= 0
        assert window["left"] + window["width"] <= max(width, window["width"])
    assert (taken >= hole).all()


def test_the_model_chosen_last_stays(bare_page):
    words = bare_page.evaluate(
        """async () => {
          const { Network } = await import("./js/network.js");
          const said = [];
          const network = new Network((state, words) => said.push(`${state}: ${words}`));
          const slow = { name: "slow.tflite" }, quick = { name: "quick.tflite" };
          slow.arrayBuffer = async () => {
            await new Promise((resolve) => setTimeout(resolve, 300));
            throw new Error("unreadable");
          };
          quick.arrayBuffer = async () => new ArrayBuffer(8);
          const tell = (error) => said.push(error.message.split(" ")[0]);
          const first = network.open(slow).catch(tell);
          await network.open(quick).catch(tell);
          await first;
          return said;
        }"""
    )
    assert words[-1] == "quick.tflite"
    assert words.index("unreadable") < words.index("loading: Starting the network")


def test_what_was_generated_meets_the_photo_at_the_rim(bare_page, blended):
    rng = np.random.default_rng(6)
    image = rng.random((30, 41, 3), dtype=np.float32)
    mask = np.zeros((30, 41, 1), np.float32)
    mask[5:20, 8:30] = mask[25:, :6] = 1
    smooth = np.linspace(0, 1, 41, dtype=np.float32)[None, :, None]
    generated = 0.5 * image + 0.3 * smooth
    found = bare_page.evaluate(
        """async ({ generated, image, mask, width, height }) => {
          const { blend } = await import("./js/poisson.js");
          const floats = [generated, image, mask].map((values) => Float32Array.from(values));
          return [...blend(...floats, width, height)];
        }""",
        {
            **{"generated": generated.ravel().tolist(), "image": image.ravel().tolist()},
            **{"mask": mask.ravel().tolist(), "width": 41, "height": 30},
        },
    )
    expected = blended(generated, image, mask)
    np.testing.assert_allclose(np.reshape(found, image.shape), expected, atol=1e-3)


def test_the_page_is_sent_compressed_and_is_not_large(serve, web_model):
    address = serve(web_model)
    wasm = "node_modules/@litertjs/core/wasm/litert_wasm_threaded_internal"
    if not (WEB / f"{wasm}.wasm").is_file():
        pytest.skip(f"needs npm install in {WEB}")
    total = 0
    for name in ("", "js/main.js", "model.tflite", f"{wasm}.js", f"{wasm}.wasm"):
        request = urllib.request.Request(f"{address}{name}", headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            body = answer.read()
        with urllib.request.urlopen(f"{address}{name}") as answer:
            assert answer.headers["Content-Encoding"] is None
            assert answer.read() == gzip.decompress(body)
        total += len(body)
    assert total < 4e6
