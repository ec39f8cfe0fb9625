"""The page that the server sends: its files, and the page in Debian's Chromium."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_inpaint as ki
from keras_inpaint.data import sample

requests = pytest.importorskip("requests", reason="pip install 'keras-inpaint[test]'")


def test_all_that_the_page_asks_for_is_sent_without_a_key(server):
    page = requests.get(server.url)
    assert page.status_code == 200 and '<html lang="en" data-server>' in page.text
    asked = {*re.findall(r'(?:src|href)="((?:js|css|icon|example)[^"]+)"', page.text)}
    assert {"js/main.js", "css/base.css", "icon.svg", "example.png"} <= asked
    seen = set()
    while asked:
        path = asked.pop()
        seen.add(path)
        answer = requests.get(f"{server.url}/{path}")
        assert answer.status_code == 200 and answer.content, path
        if path.endswith(".js"):
            assert "javascript" in answer.headers["content-type"]
            imports = re.findall(r'^(?:import|export) .*?"\./([\w.]+)"', answer.text, re.M)
            asked |= {f"js/{name}" for name in imports} - seen
    assert "js/server.js" in seen
    assert sum(len(requests.get(f"{server.url}/{path}").content) for path in seen) < 1e6


class Page:
    """The page as somebody uses it, at a server with a key."""

    def __init__(self, browser, server, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.errors, self.strangers = [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: dialog.accept(server.key))
        self.page.on("request", lambda request: self.note(request.url, server.url))
        self.page.goto(server.url)
        self.page.wait_for_selector("#network[data-state=ready]")

    def note(self, url, ours):
        if not url.startswith((ours, "blob:", "data:")):
            self.strangers.append(url)

    def choose(self, contents, name):
        files = {"name": name, "mimeType": "image/x", "buffer": contents}
        self.page.set_input_files("#file", files)
        self.page.wait_for_selector("body[data-state=painting]")

    def at(self, x, y):
        return self.page.evaluate(
            """([x, y]) => {
              const frame = document.querySelector("#stage").getBoundingClientRect();
              return [frame.left + frame.width * x, frame.top + frame.height * y];
            }""",
            [x, y],
        )

    def complete(self):
        self.page.click("#complete")
        self.page.wait_for_selector("body[data-state=done]", timeout=60_000)

    def download(self, button="#download"):
        with self.page.expect_download() as waiting:
            self.page.evaluate(f"document.querySelector('{button}').click()")
        return Path(waiting.value.path()).read_bytes(), waiting.value.suggested_filename

    def close(self):
        self.context.close()
        assert self.errors == [] and self.strangers == []


@pytest.fixture
def open_page(browser, server):
    pages = []

    def start(**options):
        pages.append(
            Page(browser, server, **{"viewport": {"width": 1280, "height": 800}} | options)
        )
        return pages[-1]

    yield start
    for page in pages:
        page.close()


def encoded(pixels, format, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "WebP", "JPEG"])
def test_a_hole_painted_with_the_mouse(open_page, model_folders, kind):
    photo = sample.portrait(3)
    format = {"PNG": "PNG", "JPEG": "JPEG"}.get(kind, "WEBP")
    exif = Image.Exif()
    exif[315] = "A. Painter"
    options = {"lossless": True} if format == "WEBP" else {}
    page = open_page()
    page.choose(encoded(photo, format, exif=exif, **options), f"me.{format.lower()}")
    page.page.select_option("#model", "tiny")
    mouse = page.page.mouse
    mouse.move(*page.at(0.4, 0.4))
    mouse.down()
    mouse.move(*page.at(0.6, 0.45), steps=6)
    mouse.up()
    page.complete()
    contents, name = page.download()
    assert name == f"me-completed.{format.lower()}"
    mask = np.asarray(Image.open(io.BytesIO(page.download("#download-mask")[0]))) > 127
    with Image.open(io.BytesIO(contents)) as image:
        assert (image.format, image.getexif()[315]) == (format, "A. Painter")
        found = np.asarray(image.convert("RGB")).astype(int)
    assert 100 < mask.sum() < mask.size / 4
    if format == "JPEG":
        return
    np.testing.assert_array_equal(found[~mask], photo[~mask])
    expected = ki.Inpainter(model_folders / "tiny" / "1")(photo, mask)
    assert np.abs(found - expected).max() <= 1
    assert page.page.locator("#windows li").count() >= 0
    # Kept, and gone on with.
    page.page.click("#continue")
    page.page.wait_for_selector("body[data-state=painting]")
    assert page.page.locator("#complete").is_disabled()


def test_a_finger_on_a_phone(open_page):
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.page.click("#example")
    page.page.wait_for_selector("body[data-state=painting]")
    page.page.touchscreen.tap(*page.at(0.5, 0.3))
    page.complete()
    assert "pixels filled in" in page.page.text_content("#status")
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_keyboard_alone_is_enough(open_page):
    page = open_page()
    keyboard = page.page.keyboard
    page.page.locator("#choose").focus()
    keyboard.press("Tab")
    keyboard.press("Enter")  # the example
    page.page.wait_for_selector("body[data-state=painting]")
    keyboard.press("Enter")
    for _ in range(5):
        keyboard.press("ArrowRight")
    keyboard.press("Enter")
    assert "in the hole" in page.page.text_content("#status")
    keyboard.press("Control+z")
    assert page.page.locator("#complete").is_disabled()
    keyboard.press("Control+Shift+z")
    page.complete()


def test_what_the_server_refuses_is_told(open_page):
    page = open_page()
    page.choose(encoded(np.zeros((700, 700, 3), np.uint8), "PNG"), "large.png")
    page.page.mouse.click(*page.at(0.5, 0.5))
    page.page.click("#complete")
    page.page.wait_for_selector("#alert:not([hidden])")
    assert "more than the 360000 allowed" in page.page.text_content("#alert p")
    page.page.wait_for_selector("body[data-state=painting]")


def frame(page):
    return page.page.evaluate(
        """() => {
          const frame = document.querySelector(".frame"), stage = document.querySelector("#stage");
          return { left: frame.scrollLeft, shown: frame.clientWidth,
                   stage: stage.getBoundingClientRect().width };
        }"""
    )


def test_zooming_and_moving_keep_strokes_where_they_are(open_page):
    page = open_page()
    page.choose(encoded(np.zeros((300, 400, 3), np.uint8), "PNG"), "photo.png")
    mouse, keyboard = page.page.mouse, page.page.keyboard
    whole = frame(page)
    assert whole["stage"] <= whole["shown"]
    place = page.at(0.25, 0.25)
    mouse.move(*place)
    keyboard.down("Control")
    mouse.wheel(0, -240)
    keyboard.up("Control")
    page.page.wait_for_function("document.querySelector('#zoom').textContent !== '100 %'")
    assert frame(page)["stage"] > 2 * whole["stage"]
    # The event's place is a whole pixel of the window, and the photo has grown by three.
    np.testing.assert_allclose(page.at(0.25, 0.25), place, atol=4)
    place = page.at(0.25, 0.25)
    page.page.locator('[value="hand"]').check()
    mouse.move(*place)
    mouse.down()
    mouse.move(place[0] - 60, place[1] - 30, steps=5)
    mouse.up()
    np.testing.assert_allclose(page.at(0.25, 0.25), (place[0] - 60, place[1] - 30), atol=2)
    assert page.page.locator("#complete").is_disabled()
    page.page.locator('[value="brush"]').check()
    page.page.locator("#size").fill("10")
    mouse.click(*page.at(0.25, 0.25))
    page.page.click("#fit")
    assert frame(page)["stage"] == whole["stage"]
    mask = np.asarray(Image.open(io.BytesIO(page.download("#download-mask")[0]))) > 127
    assert mask[75, 100] and not mask[:65].any() and not mask[:, 110:].any()


def test_the_keyboard_zooms_and_keeps_the_brush_in_sight(open_page):
    page = open_page()
    page.page.click(".example >> nth=1")
    page.page.wait_for_selector("body[data-state=painting]")
    keyboard = page.page.keyboard
    keyboard.press("2")
    keyboard.press("2")
    assert page.page.text_content("#zoom") == "225 %"
    start = frame(page)
    for _ in range(20):
        keyboard.press("ArrowLeft")
    assert frame(page)["left"] < start["left"]
    keyboard.press("1")
    assert page.page.text_content("#zoom") == "100 %"


def test_a_phone_shows_all_that_is_needed(open_page):
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.choose(encoded(np.zeros((400, 300, 3), np.uint8), "PNG"), "photo.png")
    bottom = "document.querySelector('#complete').getBoundingClientRect().bottom"
    assert page.page.evaluate(f"{bottom} <= innerHeight")
    page.page.locator("#closer").tap()
    page.page.touchscreen.tap(*page.at(0.5, 0.5))
    mask = np.asarray(Image.open(io.BytesIO(page.download("#download-mask")[0]))) > 127
    assert mask[200, 150] and mask.mean() < 0.05
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_stopping_stops_the_server(browser, start_server, model_folders, tmp_path, eventually):
    server = start_server("--model", model_folders / "tiny" / "1", log=tmp_path / "log.jsonl")
    try:
        page = Page(browser, server, viewport={"width": 1280, "height": 800})
        photo = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8)
        page.choose(encoded(photo, "PNG"), "photo.png")
        page.page.locator("#size").fill("100")
        for y in (0.2, 0.4, 0.6, 0.8):
            page.page.mouse.click(*page.at(0.3, y))
            page.page.mouse.click(*page.at(0.7, y))
        page.page.click("#complete")
        page.page.wait_for_function("/on the server, [1-9]/.test(document.body.innerText)")
        page.page.keyboard.press("Escape")
        page.page.wait_for_selector("body[data-state=painting]")
        assert "Stopped. Nothing was changed." in page.page.text_content("#status")
        eventually(lambda: any(line.get("status") == 499 for line in server.lines()))
        page.close()
        assert "Traceback" not in server.tail()
    finally:
        code = server.stop()
    assert code == 0


def test_a_server_that_went_away_is_told(browser, start_server, model_folders, tmp_path):
    server = start_server("--model", model_folders / "tiny" / "1", log=tmp_path / "log.jsonl")
    page = Page(browser, server)
    page.page.click("#example")
    page.page.wait_for_selector("body[data-state=painting]")
    page.page.mouse.click(*page.at(0.5, 0.3))
    server.stop()
    page.page.click("#complete")
    page.page.wait_for_selector("#alert:not([hidden])")
    assert "does not answer; is it still running?" in page.page.text_content("#alert p")
    page.close()


def test_what_is_no_picture_is_told_and_the_status_line_goes_on(open_page):
    page = open_page()
    files = {"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture"}
    page.page.set_input_files("#file", files)
    page.page.wait_for_selector("#alert:not([hidden])")
    assert "notes.png is not an image" in page.page.text_content("#alert p")
    assert page.page.text_content("#status") == ""
    page.page.click("#example")
    page.page.wait_for_selector("body[data-state=painting]")
    said = page.page.text_content("#status")
    page.page.set_input_files("#file", files)
    page.page.wait_for_selector("#alert:not([hidden])")
    assert page.page.text_content("#status") == said


def test_examples_are_portraits(server):
    for index in range(3):
        answer = requests.get(f"{server.url}/examples/portrait-{index}.jpg")
        assert answer.headers["content-type"] == "image/jpeg"
        with Image.open(io.BytesIO(answer.content)) as image:
            np.testing.assert_array_equal(np.asarray(image), sample.portrait(index))
    for name in ("portrait-3.jpg", "portrait-x.jpg"):
        answer = requests.get(f"{server.url}/examples/{name}")
        assert answer.status_code == 422 and "index" in answer.json()["error"]
