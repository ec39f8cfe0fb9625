"""The page of `export/web` in a browser, compared with LiteRT in Python."""

import collections
import contextlib
import gzip
import importlib.util
import io
import json
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

pytestmark = pytest.mark.slow

WEB = Path(__file__).parents[2] / "export" / "web"


def png(pixels, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **options)
    return stream.getvalue()


def big_photo(height, width, seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([x * 255 / width, y * 255 / height, 128 + 90 * np.sin(x / 9)], axis=-1)
    return np.clip(smooth + rng.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8)


class Page:
    """The page as somebody uses it."""

    def __init__(self, page, url):
        self.page = page
        self.errors = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(url)

    def is_in(self, state):
        self.page.wait_for_selector(f"body[data-state={state}]", timeout=60_000)

    def choose(self, contents, name="photo.png", kind="image/png"):
        files = {"name": name, "mimeType": kind, "buffer": contents}
        self.page.set_input_files("#file", files)
        self.is_in("painting")

    def at(self, x, y):
        """Where a pixel of the photo is in the window."""
        return self.page.evaluate(
            """([x, y]) => {
              const frame = document.querySelector("#stage").getBoundingClientRect();
              const { width, height } = document.querySelector("#stage .photo");
              return [frame.left + frame.width * x / width, frame.top + frame.height * y / height];
            }""",
            [x, y],
        )

    def stroke(self, *points):
        mouse = self.page.mouse
        mouse.move(*self.at(*points[0]))
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.at(*point), steps=8)
        mouse.up()

    def brush(self, value):
        self.page.locator("#size").fill(str(value))

    def complete(self):
        self.page.click("#complete")
        self.is_in("done")

    def download(self, button):
        with self.page.expect_download() as waiting:
            self.page.evaluate(f"document.querySelector('{button}').click()")
        with Image.open(waiting.value.path()) as image:
            image.load()
        return image, waiting.value.suggested_filename

    def result(self):
        return np.asarray(self.download("#download")[0])

    def hole(self):
        mask = np.asarray(self.download("#download-mask")[0])
        assert set(np.unique(mask)) <= {0, 255}
        return mask == 255

    def windows(self):
        texts = self.page.eval_on_selector_all(
            "#windows li", "items => items.map((item) => item.dataset.window)"
        )
        return [json.loads(text) for text in texts]

    def status(self):
        return self.page.text_content("#status")


@pytest.fixture
def open_page(browser, site):
    """A function that opens the page; fails the test on an error of the page's scripts."""
    opened = []

    def start(url=site, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        page = Page(context.new_page(), url)
        opened.append((context, page))
        return page

    yield start
    for context, page in opened:
        context.close()
        assert page.errors == []


def check(page, photo, by_python):
    """Compare the downloaded photo with Python's; return the hole."""
    hole, result = page.hole(), page.result()
    assert result.shape == photo.shape
    np.testing.assert_array_equal(result[~hole], photo[~hole])
    expected = by_python(photo, hole, page.windows())
    difference = np.abs(result[..., :3].astype(int) - expected)
    assert difference.max() <= 1
    assert np.abs(result[hole][:, :3].astype(int) - photo[hole][:, :3]).mean() > 5
    return hole


def test_a_hole_painted_with_the_mouse(open_page, by_python):
    photo = big_photo(227, 301)
    page = open_page()
    page.choose(png(photo), "my photo.png")
    page.brush(40)
    page.stroke((140, 100), (160, 110))
    assert "pixels to fill" in page.status()
    page.complete()
    assert "pixels filled in" in page.status()
    hole = check(page, photo, by_python)
    assert hole[105, 150] and not hole[60, 60]
    (window,) = page.windows()
    assert window["width"] in (64, 128)
    assert page.download("#download")[1] == "my photo-completed.png"
    assert "Saved my photo-completed.png, 301" in page.status()


def test_several_holes_are_filled_one_after_the_other(open_page, by_python):
    photo = big_photo(300, 400)
    page = open_page()
    page.choose(png(photo))
    page.brush(30)
    for x, y in ((20, 20), (200, 150), (390, 290)):
        page.stroke((x, y), (x + 6, y + 4))
    page.complete()
    check(page, photo, by_python)
    assert len(page.windows()) == 3


def test_a_large_hole_is_scaled_to_the_network(open_page, by_python):
    photo = big_photo(401, 337)
    page = open_page()
    page.choose(png(photo))
    page.brush(100)
    page.stroke((120, 180), (200, 180))
    page.stroke((120, 220), (200, 230))
    page.complete()
    hole = check(page, photo, by_python)
    assert np.ptp(np.flatnonzero(hole.any(axis=0))) > 128
    (window,) = page.windows()
    assert window["width"] > 128 and window["signature"] == "complete_128x128"


def test_a_scratch_is_filled_piece_by_piece_at_full_size(open_page, by_python):
    photo = big_photo(200, 620)
    page = open_page()
    page.choose(png(photo))
    page.brush(10)
    page.stroke((10, 20), (600, 180))
    page.complete()
    check(page, photo, by_python)
    windows = page.windows()
    assert len(windows) > 5
    assert {window["width"] for window in windows} == {128}


def test_a_photo_smaller_than_the_network_is_mirrored(open_page, by_python):
    photo = big_photo(30, 41)
    page = open_page()
    page.choose(png(photo))
    page.stroke((20, 15), (24, 15))
    page.complete()
    check(page, photo, by_python)


def test_the_keyboard_alone_is_enough(open_page, by_python):
    page = open_page()
    keyboard = page.page.keyboard
    page.page.locator("#choose").focus()
    keyboard.press("Tab")
    keyboard.press("Enter")  # the example
    page.is_in("painting")
    focused = "document.activeElement.id || document.activeElement.getAttribute('aria-label')"
    assert page.page.evaluate(focused) == "stage"
    assert page.page.locator("#complete").is_disabled()

    size = page.page.text_content("#size-value")
    keyboard.press("+")
    assert page.page.text_content("#size-value") != size
    keyboard.press("-")
    assert page.page.text_content("#size-value") == size
    keyboard.press("ArrowUp")
    keyboard.press("Space")
    first = page.status()
    assert "to fill" in first
    keyboard.press("Enter")
    for _ in range(6):
        keyboard.press("ArrowLeft")
    assert "brush down" in page.status()
    keyboard.press("Enter")
    second = page.status()
    keyboard.press("Control+z")
    assert page.status() == first
    keyboard.press("Control+Shift+z")
    assert page.status() == second or "to fill" in page.status()
    keyboard.press("e")
    assert page.page.is_checked('[value="eraser"]')
    keyboard.press("e")

    for _ in range(12):
        if page.page.evaluate(focused) == "complete":
            break
        keyboard.press("Tab")
    keyboard.press("Enter")
    page.is_in("done")
    slider = page.page.locator(".compare input")
    assert slider.evaluate("slider => slider === document.activeElement")
    page.page.wait_for_timeout(1000)
    before = float(slider.input_value())
    keyboard.press("ArrowRight")
    assert float(slider.input_value()) > before
    with Image.open(WEB / "example.png") as example:
        photo = np.asarray(example.convert("RGB"))
    check(page, photo, by_python)


def test_a_finger_on_a_phone(open_page, by_python):
    photo = big_photo(240, 180)
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.choose(png(photo))
    page.page.touchscreen.tap(*page.at(90, 100))
    page.complete()
    check(page, photo, by_python)
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_erasing_undoing_and_clearing(open_page):
    page = open_page()
    page.choose(png(big_photo(120, 160)))
    page.stroke((40, 40), (80, 60))
    painted = page.status()
    page.page.locator('[value="eraser"]').check()
    page.stroke((60, 50), (62, 50))
    assert page.status() != painted
    page.page.click("#undo")
    assert page.status() == painted
    page.page.click("#clear")
    assert "Paint over" in page.status() and page.page.locator("#complete").is_disabled()
    page.page.click("#undo")
    assert page.status() == painted
    page.page.click("#redo")
    assert "Paint over" in page.status()


def test_see_through_pixels_and_the_colour_profile_are_kept(open_page, by_python):
    rng = np.random.default_rng(4)
    photo = np.dstack([big_photo(90, 110), rng.integers(0, 256, (90, 110), dtype=np.uint8)])
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    page = open_page()
    page.choose(png(photo, icc_profile=profile))
    page.stroke((50, 40), (60, 50))
    page.complete()
    hole = check(page, photo, by_python)
    image, _ = page.download("#download")
    assert image.info["icc_profile"] == profile
    assert (np.asarray(image)[hole][:, 3] == 255).all()


def test_a_jpeg_is_shown_upright_and_keeps_its_profile(open_page):
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(big_photo(80, 120)).save(stream, "JPEG", exif=exif, icc_profile=profile)
    page = open_page()
    page.choose(stream.getvalue(), "phone.jpeg", "image/jpeg")
    page.stroke((30, 60), (40, 60))
    page.complete()
    image, name = page.download("#download")
    assert image.size == (80, 120) and name == "phone-completed.png"
    assert image.info["icc_profile"] == profile


def test_the_same_photo_goes_on(open_page, by_python):
    photo = big_photo(140, 150)
    page = open_page()
    page.choose(png(photo))
    page.stroke((30, 30), (34, 30))
    page.complete()
    first = page.result()
    page.page.click("#edit")
    page.is_in("painting")
    assert "to fill" in page.status()
    page.complete()
    page.page.click("#continue")
    page.is_in("painting")
    page.stroke((100, 100), (104, 100))
    page.complete()
    check(page, first, by_python)


def test_without_isolation_one_thread_gives_the_same(open_page, serve, web_model, by_python):
    photo = big_photo(150, 150)
    page = open_page(serve(web_model, "--no-isolate"))
    assert page.page.evaluate("crossOriginIsolated") is False
    page.choose(png(photo))
    page.stroke((70, 70), (80, 80))
    page.complete()
    check(page, photo, by_python)
    assert "one thread" in page.page.text_content("#network")


def test_isolated_pages_use_threads(open_page):
    page = open_page()
    page.page.wait_for_selector("#network[data-state=ready]")
    assert page.page.evaluate("crossOriginIsolated") is True
    cores = page.page.evaluate("Math.min(4, navigator.hardwareConcurrency)")
    expected = "one thread" if cores == 1 else f"{cores} threads"
    words = page.page.text_content("#network")
    assert expected in words and "tiny: 64 \u00d7 64, 128 \u00d7 128" in words


@contextlib.contextmanager
def counting_server(folder, isolate=True):
    """Serve a folder with `serve.py`; give its URL and a counter of the paths it is asked for."""
    spec = importlib.util.spec_from_file_location("web_serve", WEB / "serve.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    asked = collections.Counter()
    module.Handler.log_request = lambda self, *_: asked.update([self.path])
    with module.make_server(folder, 0, isolate) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(params=[True, False], ids=["threads", "one thread"])
def counted_site(request, web_model, tmp_path):
    """The page with its model, with and without threads, as `counting_server` gives it."""
    for path in WEB.iterdir():
        if path.name != "model.tflite":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "model.tflite").symlink_to(web_model)
    with counting_server(tmp_path, request.param) as site:
        yield site


def test_nothing_is_fetched_twice(open_page, counted_site):
    url, asked = counted_site
    page = open_page(url)
    page.page.wait_for_selector("#network[data-state=ready]")
    page.page.click(".example")
    page.is_in("painting")
    page.stroke((150, 200), (170, 210))
    page.complete()
    assert {"/", "/model.tflite", "/example.png"} <= set(asked)
    assert sum("litert_wasm" in path for path in asked) == 2
    assert [path for path, count in asked.items() if count > 1] == []


@pytest.mark.parametrize(
    ("accepted", "coding"), [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("identity", None)]
)
def test_a_file_is_sent_as_small_as_the_browser_takes_it(tmp_path, accepted, coding):
    bodies = {"br": b"by Brotli", "gzip": b"\0asm" * 100, None: b"\0asm" * 100}
    (tmp_path / "network.wasm").write_bytes(bodies[None])
    (tmp_path / "network.wasm.br").write_bytes(bodies["br"])
    with counting_server(tmp_path) as (url, _):
        request = urllib.request.Request(
            f"{url}network.wasm", headers={"Accept-Encoding": accepted}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
    assert answer.headers["Content-Encoding"] == coding
    assert answer.headers["Content-Type"] == "application/wasm"
    assert int(answer.headers["Content-Length"]) == len(body)
    assert (gzip.decompress(body) if coding == "gzip" else body) == bodies[coding]


def test_a_missing_model_says_how_to_make_one(open_page, serve, web_model, by_python):
    page = open_page(serve())
    alert = page.page.locator("#alert")
    alert.wait_for()
    assert "keras-inpaint export" in alert.inner_text()
    page.page.set_input_files("#model-file", str(web_model))
    page.page.wait_for_selector("#network[data-state=ready]")
    assert not alert.is_visible()
    photo = big_photo(100, 100)
    page.choose(png(photo))
    page.stroke((50, 50), (55, 50))
    page.complete()
    check(page, photo, by_python)


def test_what_is_no_picture_and_no_model_is_told(open_page, tmp_path):
    page = open_page()
    files = {"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture"}
    page.page.set_input_files("#file", files)
    alert = page.page.locator("#alert")
    alert.wait_for()
    assert "notes.png is not an image" in alert.inner_text()
    wrong = tmp_path / "wrong.tflite"
    wrong.write_bytes(b"no model at all")
    page.page.set_input_files("#model-file", str(wrong))
    page.page.wait_for_selector("#network[data-state=failed]")
    assert "wrong.tflite" in alert.inner_text()


@pytest.mark.parametrize("quantize", ["float16", "int8"])
def test_quantised_files_give_what_python_gives(
    open_page, tiny_network, tmp_path, quantize, blended
):
    from ai_edge_litert.interpreter import Interpreter

    from keras_inpaint.exporting.tflite import export_tflite

    path = tmp_path / "small.tflite"
    photos = [big_photo(128, 128, seed) for seed in range(4)]
    calibration = photos if quantize == "int8" else None
    export_tflite(
        tiny_network, path, quantize=quantize, sizes=((128, 128),), calibration=calibration
    )
    runner = Interpreter(str(path)).get_signature_runner("complete_128x128")
    image = photos[0][None].astype(np.float32) / 255

    page = open_page()
    page.page.wait_for_selector("#network[data-state=ready]")
    page.page.set_input_files("#model-file", str(path))
    page.page.wait_for_function(
        "document.querySelector('#network').textContent.includes('small')", timeout=60_000
    )
    page.choose(png(photos[0]))
    page.brush(60)
    page.stroke((60, 60), (80, 64))
    page.complete()
    hole = page.hole()
    mask = hole[None, ..., None].astype(np.float32)
    expected = runner(image=image, mask=mask)["completed"][0]
    expected = np.clip(blended(expected, image[0], mask[0]), 0, 1)
    difference = np.abs(page.result().astype(int) - np.rint(expected * 255))
    assert difference[~hole].max() == 0
    assert difference.max() <= 1


def test_a_file_for_any_size_is_refused(open_page, tiny_network, tmp_path):
    from keras_inpaint.exporting.tflite import export_tflite

    path = export_tflite(tiny_network, tmp_path / "any.tflite", sizes=None)
    page = open_page()
    page.page.set_input_files("#model-file", str(path))
    page.page.wait_for_selector("#network[data-state=failed]", timeout=60_000)
    assert "no fixed size" in page.page.locator("#alert").inner_text()
