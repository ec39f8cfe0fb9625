"""The page itself: its server, and a browser in front of it."""

import io
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_inpaint.inference.hole_masks import grown
from keras_inpaint.inference.photos import read_photo
from keras_inpaint.serving.ui_canvas import hole_under, strokes_of, view
from keras_inpaint.serving.ui_examples import examples

CHROMIUM = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"]
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
MAX_PIXELS = 1_500_000
_START_SECONDS = 300
_PATIENCE = 90_000  # ms


class Page:
    """A `keras-inpaint ui` process on a free port."""

    def __init__(self, *arguments, folder):
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self._errors = (folder / "stderr").open("wb")
        self._lines = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "keras_inpaint", "ui", "--port", "0", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "TMPDIR": str(self.scratch), "PYTHONUNBUFFERED": "1"},
        )
        self.said = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            while "The page is at " not in (line := self._lines.get(timeout=_START_SECONDS)):
                assert line, self.errors
        except BaseException:
            self._end()
            raise
        self.url = line.split("The page is at ")[1].split()[0]

    def _read(self):
        with self.process.stdout as lines:
            for line in lines:
                self.said.append(line)
                self._lines.put(line)
        self._lines.put("")

    def _end(self):
        self.process.kill()
        self.process.wait()
        self._reader.join(10)
        self._errors.close()

    @property
    def errors(self):
        return Path(self._errors.name).read_text("utf-8", "replace")[-3000:]

    def stop(self):
        """Tell the process to stop and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        finally:
            self._end()


@pytest.fixture(scope="module")
def page(tiny_network, tmp_path_factory):
    """The page, with two models; at the end it stops in order and leaves nothing behind."""
    pytest.importorskip("gradio", reason="pip install 'keras-inpaint[ui]'")
    import keras

    folder = tmp_path_factory.mktemp("ui")
    tiny_network.save(folder / "one.keras")
    other = keras.models.clone_model(tiny_network)
    other.set_weights([1.25 * weight for weight in tiny_network.get_weights()])
    other.save(folder / "two.keras")
    page = Page(
        *("--model", folder / "one.keras", "--model", folder / "two.keras"),
        *("--no-open", "--max-pixels", MAX_PIXELS, "--max-upload", 4),
        folder=folder,
    )
    page.models = {"one": folder / "one.keras", "two": folder / "two.keras"}
    try:
        yield page
    finally:
        code = page.stop()
    assert code == 0, page.errors
    assert page.said[-1] == "Stopped.\n"
    assert "Traceback" not in page.errors
    assert list(page.scratch.iterdir()) == []


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, or another that is installed; none is fetched."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM)} is installed")
    with playwright.sync_playwright() as control:
        browser = control.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """What a person does on the page, and what the browser asked for meanwhile."""

    def __init__(self, context, page):
        self.scratch = page.scratch
        self.requests, self.page_errors, self.painted = [], [], None
        context.on("request", self._on_request)
        self.tab = context.new_page()
        self.tab.set_default_timeout(_PATIENCE)
        self.tab.on("pageerror", lambda error: self.page_errors.append(str(error)))
        self.tab.goto(page.url)
        self.tab.locator("#examples img").nth(3).wait_for()

    def _on_request(self, request):
        self.requests.append(request.url)
        if "/queue/join" in request.url:
            for value in json.loads(request.post_data)["data"]:
                if isinstance(value, dict) and value.get("layers"):
                    self.painted = [Path(layer["path"]) for layer in value["layers"]]

    @property
    def canvas(self):
        return self.tab.locator("#editor .pixi-target.visible canvas")

    def choose(self, path):
        """Upload a photo and wait until it can be painted on."""
        self.tab.set_input_files("#upload input[type=file]", path)
        self._wait_for_photo(Path(path).name)

    def choose_example(self, number):
        """Click an example and wait until it can be painted on."""
        self.tab.locator("#examples button").nth(number).click()
        self._wait_for_photo(f"portrait-{number + 1}.png")

    def _wait_for_photo(self, name):
        self.tab.locator("#about", has_text=name).wait_for()
        self.canvas.wait_for()
        self.tab.wait_for_timeout(3000)  # the editor draws, and does not say when it is done

    def brush(self, across=0.0, down=0.0):
        """Paint a stroke, so far from the middle of the canvas, in parts of its sides."""
        box = self.canvas.bounding_box()
        x = box["x"] + box["width"] * (0.5 + across)
        y = box["y"] + box["height"] * (0.5 + down)
        self.tab.mouse.move(x - 30, y)
        self.tab.mouse.down()
        self.tab.mouse.move(x + 30, y + 6, steps=8)
        self.tab.mouse.up()
        self.tab.wait_for_timeout(1000)

    def press(self, button):
        """Press a button that has a file written, and return that file as it is downloaded."""
        before = self._written()
        self.tab.click(button)
        for _ in range(_PATIENCE // 500):
            self.tab.wait_for_timeout(500)
            if new := self._written() - before:
                break
        else:
            raise TimeoutError("no file was written")
        for _ in range(20):
            self.tab.locator("#download:not([disabled])", has_text="Download ").wait_for()
            with self.tab.expect_download() as download:
                self.tab.click("#download")
            if any(folder in download.value.url for folder in new):
                return Path(download.value.path()).read_bytes(), download.value.suggested_filename
            self.tab.wait_for_timeout(300)
        raise TimeoutError("the file that was written is not offered")

    def _written(self):
        return {path.name for path in self.scratch.glob("keras-inpaint-ui-*/completed/*/*")}

    def complete(self):
        """Press Complete, and return what the file to download holds and its name."""
        return self.press("#complete")

    def hole(self, width, height):
        """Return the hole in the layer that the browser sent last."""
        with Image.open(self.painted[0]) as layer:
            return hole_under(strokes_of({"layers": [np.asarray(layer)]}), width, height)

    def message(self):
        """Return the message that is shown."""
        return self.tab.locator("[data-testid=toast-body]").last.inner_text()


@pytest.fixture
def visit(page, browser):
    """A visit to the page; it must ask no other host for anything and fail in no script."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    visit = Visit(context, page)
    yield visit
    context.close()
    assert visit.page_errors == []
    strangers = [
        url
        for url in visit.requests
        if not url.startswith((f"{page.url}/", f"blob:{page.url}/", "data:"))
    ]
    assert strangers == []
    assert page.url.startswith("http://127.0.0.1:")


@pytest.fixture(scope="module")
def portrait(tmp_path_factory):
    """A photo that is larger than the canvas: 1360x1040 pixels."""
    from keras_inpaint.data import sample

    path = tmp_path_factory.mktemp("photos") / "portrait.png"
    Image.fromarray(sample.portrait(8)).resize((1360, 1040)).save(path)
    return path


def _filled(model, image, hole, blend="poisson"):
    import keras_inpaint as ki

    return ki.Inpainter(model, blend=blend)(image, hole)


@pytest.mark.slow
def test_a_brushed_hole_is_filled_as_inpainter_fills_it(visit, page, portrait):
    visit.choose(portrait)
    visit.brush()
    data, name = visit.complete()
    assert name == "portrait-completed.png"
    original = read_photo(portrait).image
    result = np.asarray(Image.open(io.BytesIO(data)))
    hole = visit.hole(1360, 1040)
    rows, columns = np.nonzero(hole)
    # Brushed over the middle of the canvas, it lies in the middle of the photo.
    np.testing.assert_allclose([rows.mean() / 1040, columns.mean() / 1360], 0.5, atol=0.03)
    np.testing.assert_array_equal(result[~hole], original[~hole])
    np.testing.assert_array_equal(result, _filled(page.models["one"], original, hole))
    assert (result[hole] != original[hole]).any()

    pictures = visit.tab.locator("#slider img").all()
    before, after = (
        np.asarray(Image.open(io.BytesIO(visit.tab.request.get(p.get_attribute("src")).body())))
        for p in pictures
    )
    np.testing.assert_array_equal(before, view(original))
    np.testing.assert_array_equal(after, view(result))
    text = visit.tab.locator("#report").inner_text()
    assert f"1 hole filled: {len(rows)} of 1360x1040 pixels" in text


@pytest.mark.slow
def test_results_become_the_photo_and_are_taken_back(visit, page, portrait):
    original = read_photo(portrait).image
    visit.choose(portrait)
    visit.brush(-0.2, -0.2)
    first, _ = visit.complete()
    first_hole = visit.hole(1360, 1040)
    visit.tab.click("#go-on")
    visit.tab.wait_for_timeout(3000)
    visit.brush(0.2, 0.2)
    both, _ = visit.complete()
    second_hole = visit.hole(1360, 1040)
    assert not (first_hole & second_hole).any()
    once = _filled(page.models["one"], original, first_hole)
    twice = _filled(page.models["one"], once, second_hole)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(first))), once)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(both))), twice)

    for _ in range(2):  # takes back the completion, and that its photo was taken
        back, _ = visit.press("#back")
        assert back == first
    visit.tab.wait_for_timeout(3000)
    again, _ = visit.complete()  # the strokes are there again, too
    assert again == first
    np.testing.assert_array_equal(visit.hole(1360, 1040), first_hole)
    visit.tab.click("#back")
    visit.tab.locator("#waiting").wait_for()
    assert not visit.tab.locator("#slider").is_visible()


@pytest.mark.slow
def test_an_examples_hole_and_the_options_reach_the_network(visit, page):
    visit.choose_example(2)
    photo, hole = examples()[2].photo.image, examples()[2].hole
    result, name = visit.complete()
    assert name == "portrait-3-completed.png"
    expected = _filled(page.models["one"], photo, hole)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(result))), expected)

    visit.tab.click("#options > button")
    visit.tab.click("#model input")
    visit.tab.get_by_role("option", name="two").click()
    visit.tab.locator("#blend").get_by_text("None").click()
    visit.tab.locator("#grow input[type=number]").fill("3")
    visit.tab.locator("#grow input[type=number]").press("Tab")
    result, _ = visit.complete()
    expected = _filled(page.models["two"], photo, grown(hole, 3), blend="none")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(result))), expected)


@pytest.mark.slow
def test_strokes_are_undone_and_cleared(visit):
    visit.choose_example(0)
    visit.tab.click("#editor [aria-label='Clear canvas']")
    visit.tab.wait_for_timeout(3000)
    visit.tab.click("#complete")
    assert "Nothing is painted yet" in visit.message()
    if not visit.tab.locator("#editor [aria-label='Brush Size']").is_visible():
        visit.tab.click("#editor [aria-label='Brush']")
    visit.brush(0, -0.2)
    visit.complete()
    one = visit.hole(178, 218)
    visit.brush(0, 0.2)
    visit.complete()
    two = visit.hole(178, 218)
    assert (two & one).sum() == one.sum() < two.sum()
    visit.tab.click("#editor [aria-label='Undo']")
    visit.tab.wait_for_timeout(1000)
    visit.complete()
    np.testing.assert_array_equal(visit.hole(178, 218), one)


@pytest.mark.slow
def test_what_cannot_be_taken_is_told_and_the_page_goes_on(visit, page, tmp_path, portrait):
    broken, large, huge = (tmp_path / name for name in ("broken.jpg", "large.png", "huge.png"))
    broken.write_bytes(b"this is no photo")
    Image.new("L", (1500, 1001)).save(large)
    huge.write_bytes(os.urandom(5 * 2**20))
    for path, told in (
        (broken, "broken.jpg: is no JPEG"),
        (large, "large.png has 1500x1001 pixels; at most 1.5 million"),
        (huge, "maximum allowed size"),
    ):
        visit.tab.set_input_files("#upload input[type=file]", path)
        visit.tab.locator("[data-testid=toast-body]", has_text=told).wait_for()
        visit.tab.locator("[data-testid=toast-close]").last.click()
        visit.tab.locator("#upload input[type=file]").wait_for(state="attached")
    visit.choose(portrait)
    visit.tab.click("#other")
    visit.tab.locator("#examples").wait_for()
    visit.choose_example(1)
    assert visit.complete()[1] == "portrait-2-completed.png"
    assert "Traceback" not in page.errors


@pytest.mark.slow
def test_on_a_phone_nothing_is_wider_than_the_window(page, browser, portrait):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, device_scale_factor=2, is_mobile=True
    )
    visit = Visit(context, page)
    width = "document.documentElement.scrollWidth"
    assert visit.tab.evaluate(width) <= 390
    visit.choose(portrait)
    visit.brush()
    visit.complete()
    assert visit.tab.evaluate(width) <= 390
    assert visit.hole(1360, 1040).any()
    visit.tab.wait_for_timeout(1500)
    box = visit.tab.locator("#slider").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= 844  # all of it was brought into view
    context.close()


@pytest.mark.slow
def test_the_server_answers_to_this_computer_only_and_hands_out_no_files(page):
    def status(path="/", **headers):
        request = urllib.request.Request(page.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert "default-src 'self'" in answer.headers["content-security-policy"]
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert status() == 200
    assert status(Host="evil.example") == 400
    for path in ("/etc/passwd", page.models["one"], Path(__file__).resolve()):
        assert status(f"/gradio_api/file={path}") in (403, 404)


@pytest.mark.slow
def test_a_port_in_use_is_told_in_a_line(tiny_model_path):
    pytest.importorskip("gradio", reason="pip install 'keras-inpaint[ui]'")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [
                *(sys.executable, "-m", "keras_inpaint", "ui", "--no-open"),
                *("--model", str(tiny_model_path), "--port", str(port)),
            ],
            capture_output=True,
            text=True,
            timeout=_START_SECONDS,
        )
    assert done.returncode == 1
    assert f"Error: cannot listen on 127.0.0.1:{port} (" in done.stderr
    assert "choose another --port" in done.stderr and "Traceback" not in done.stderr
