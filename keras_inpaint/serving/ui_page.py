"""The page: choose a photo, paint the hole, complete it, compare, download."""

import functools
import html
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from keras_inpaint.inference.photo_formats import SUFFIXES
from keras_inpaint.serving.ui_canvas import BRUSH_ALPHA, BRUSH_COLOUR, editor_value, view
from keras_inpaint.serving.ui_examples import examples
from keras_inpaint.serving.ui_session import Session
from keras_inpaint.serving.ui_work import Options, Work, described

logger = logging.getLogger(__name__)

TITLE = "keras-inpaint"

_BRUSH_SIZE = 34  # radius on the canvas, of about a million pixels
_MOST_GROWTH = 32
_BLENDS = [("None", "none"), ("Feather", "feather"), ("Poisson", "poisson")]
# Where the result is below the photo, it is brought into view.
_TO_RESULT = """() => {
  if (window.innerWidth <= 720)
    document.getElementById("right").scrollIntoView({behavior: "smooth"});
}"""
_QUIET = {"api_visibility": "private", "show_progress": "hidden"}
_SLOW = {"api_visibility": "private", "concurrency_id": "photos", "concurrency_limit": 1}


def theme() -> gr.themes.Base:
    """Return the page's colours, and fonts that every system has."""
    return gr.themes.Default(
        primary_hue="rose",
        neutral_hue="slate",
        radius_size="lg",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "Consolas", "monospace"],
    )


def build(work: Work) -> gr.Blocks:
    """Return the page.

    Args:
        work: What its buttons do.
    """
    return _Page(work).blocks


def _told(action: Callable) -> Callable:
    """Let an action's failure be shown on the page as a sentence."""

    @functools.wraps(action)
    def wrapped(*args: Any) -> Any:
        try:
            return action(*args)
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            logger.info("%s: %s", action.__name__, error)
            message = str(error) or f"This failed ({type(error).__name__})."
        except Exception:
            logger.exception("%s failed", action.__name__)
            message = "Something went wrong here; the terminal that runs the page says more."
        raise gr.Error(html.escape(message), title="Sorry", print_exception=False)

    return wrapped


class _Page:
    """Lays the page out and connects it; its methods are what the page's events call."""

    def __init__(self, work: Work) -> None:
        self._work = work
        with gr.Blocks(
            title=TITLE, analytics_enabled=False, delete_cache=(600, 7200), fill_width=True
        ) as self.blocks:
            gr.HTML(_header(), elem_id="head", padding=False)
            with gr.Column(elem_id="start") as self.start:
                self._lay_out_start()
            with gr.Row(elem_id="desk", visible=False, equal_height=False) as self.desk:
                with gr.Column(elem_id="left", min_width=320):
                    self._lay_out_painting()
                with gr.Column(elem_id="right", min_width=320):
                    self._lay_out_result()
            self._connect()

    def _lay_out_start(self) -> None:
        gr.HTML(_step(1, "Choose a photo"), padding=False)
        self.upload = gr.File(
            file_types=sorted(SUFFIXES),
            height=230,
            show_label=False,
            label="Photo",
            elem_id="upload",
        )
        gr.HTML(
            "<p class='or'>or try a drawn portrait, with a hole already painted</p>", padding=False
        )
        self.examples = gr.Gallery(
            [example.thumbnail for example in examples()],
            format="png",
            columns=4,
            height="auto",
            object_fit="cover",
            allow_preview=False,
            interactive=False,
            show_label=False,
            label="Examples",
            buttons=[],
            elem_id="examples",
        )

    def _lay_out_painting(self) -> None:
        with gr.Row(elem_classes="bar"):
            gr.HTML(_step(2, "Brush over what to fill"), padding=False)
            self.other = gr.Button("Other photo", size="sm", min_width=110, elem_id="other")
        red, green, blue = BRUSH_COLOUR
        self.editor = gr.ImageEditor(
            type="numpy",
            image_mode="RGBA",
            format="png",
            sources=(),
            transforms=(),
            layers=False,
            brush=gr.Brush(
                default_size=_BRUSH_SIZE,
                colors=[(f"rgb({red}, {green}, {blue})", BRUSH_ALPHA / 255)],
                color_mode="fixed",
            ),
            eraser=gr.Eraser(default_size=_BRUSH_SIZE),
            buttons=[],
            show_label=False,
            label="Photo to paint on",
            elem_id="editor",
        )
        self.about = gr.HTML(elem_id="about", padding=False)
        self.complete = gr.Button("Complete", variant="primary", size="lg", elem_id="complete")
        names = self._work.models.names
        with gr.Accordion("Options", open=False, elem_id="options"):
            self.model = gr.Dropdown(
                names,
                value=names[0],
                label="Model",
                visible=len(names) > 1,
                elem_id="model",
            )
            self.blend = gr.Radio(
                _BLENDS,
                value="none",
                label="Blending",
                info="How the rim of what is filled is matched to the photo.",
                elem_id="blend",
            )
            self.grow = gr.Slider(
                0,
                _MOST_GROWTH,
                value=0,
                step=1,
                label="Grow",
                info="Widens what is painted by so many pixels of the photo, all around.",
                elem_id="grow",
            )

    def _lay_out_result(self) -> None:
        gr.HTML(_step(3, "Compare and keep"), padding=False)
        self.waiting = gr.HTML(_waiting(), elem_id="waiting", padding=False)
        with gr.Column(visible=False, elem_id="result") as self.result:
            self.slider = gr.ImageSlider(
                format="png",
                interactive=False,
                show_label=False,
                label="Before and after",
                buttons=["fullscreen"],
                max_height=1000,
                elem_id="slider",
            )
            self.report = gr.HTML(elem_id="report", padding=False)
            self.download = gr.DownloadButton(
                "Download", variant="primary", interactive=False, elem_id="download"
            )
            with gr.Row(elem_classes="pair"):
                self.back = gr.Button("Step back", min_width=120, elem_id="back")
                self.go_on = gr.Button("Use as photo", min_width=120, elem_id="go-on")

    def _connect(self) -> None:
        outcome = [
            self.waiting,
            self.result,
            self.slider,
            self.report,
            self.go_on,
            self.download,
        ]
        everything = [self.start, self.desk, self.editor, self.about, self.upload, *outcome]
        # The editor measures its place when it is given a photo, so it is shown first.
        shown = [self.start, self.desk, self.editor, self.about, self.upload, *outcome]
        for chosen in (
            self.upload.upload(
                self._on_upload, self.upload, shown, show_progress_on=self.upload, **_SLOW
            ),
            self.examples.select(
                self._on_example, None, shown, show_progress_on=self.examples, **_SLOW
            ),
        ):
            chosen.success(self._on_shown, None, self.editor, **_QUIET)
        self.editor.clear(self._on_cleared, None, self.editor, **_QUIET)
        self.other.click(self._on_other, None, everything, **_QUIET)
        self.complete.click(None, js=_TO_RESULT)
        self.complete.click(
            self._on_complete,
            [self.editor, self.model, self.blend, self.grow],
            outcome,
            show_progress_on=[self.waiting, self.slider],
            **_SLOW,
        ).success(self._on_write, None, [self.download, self.report], **_QUIET)
        self.go_on.click(self._on_go_on, None, [self.editor, self.go_on], **_QUIET)
        self.back.click(self._on_back, None, everything, **_QUIET).success(
            self._on_write, None, [self.download, self.report], **_QUIET
        )
        self.blocks.unload(self._on_unload)

    @staticmethod
    def _key(request: gr.Request) -> str:
        return str(request.session_hash)

    def _on_upload(self, path: str, request: gr.Request) -> dict:
        return self._opened(_told(self._work.open_file)(self._key(request), Path(path)))

    def _on_example(self, event: gr.SelectData, request: gr.Request) -> dict:
        return self._opened(_told(self._work.open_example)(self._key(request), int(event.index)))

    def _opened(self, session: Session) -> dict:
        return {
            self.start: gr.update(visible=False),
            self.desk: gr.update(visible=True),
            self.upload: None,
            self.editor: gr.update(height=_editor_height(*session.photo.size)),
            self.about: _about(session),
            **self._outcome_of(session),
        }

    def _on_shown(self, request: gr.Request) -> dict:
        session = self._work.sessions.get(self._key(request))
        return editor_value(session.photo.image, session.painted)

    def _on_cleared(self, request: gr.Request) -> dict:
        session = self._work.sessions.get(self._key(request))
        return editor_value(session.photo.image)

    def _on_other(self, request: gr.Request) -> dict:
        self._work.close(self._key(request))
        return {
            self.start: gr.update(visible=True),
            self.desk: gr.update(visible=False),
            self.editor: None,
            self.upload: None,
        }

    def _on_complete(
        self, painted: dict, model: str, blend: str, grow: float, request: gr.Request
    ) -> dict:
        options = Options(model, blend, int(grow))
        session = _told(self._work.complete)(self._key(request), painted, options)
        return self._outcome_of(session)

    def _on_go_on(self, request: gr.Request) -> dict:
        session = _told(self._work.go_on)(self._key(request))
        return {
            self.editor: editor_value(session.photo.image),
            self.go_on: gr.update(interactive=False),
        }

    def _on_back(self, request: gr.Request) -> dict:
        key = self._key(request)
        steps = len(self._work.sessions.get(key).steps)
        session = _told(self._work.step_back)(key)
        updates = self._outcome_of(session)
        if len(session.steps) < steps:
            updates[self.editor] = editor_value(session.photo.image, session.painted)
        return updates

    def _on_write(self, request: gr.Request) -> dict:
        session = self._work.sessions.get(self._key(request))
        if not session.has_changed:
            return {self.download: gr.skip()}
        written = _told(self._work.write)(self._key(request))
        width, height = session.shown.size
        label = f"Download {session.shown.format}, {width}x{height}"
        return {
            self.download: gr.update(value=str(written.path), label=label, interactive=True),
            self.report: _lines(session.report, *written.notes),
        }

    def _on_unload(self, request: gr.Request) -> None:
        self._work.close(self._key(request))

    def _outcome_of(self, session: Session) -> dict:
        if not session.has_changed:
            return {self.waiting: gr.update(visible=True), self.result: gr.update(visible=False)}
        return {
            self.waiting: gr.update(visible=False),
            self.result: gr.update(visible=True),
            self.slider: (session.before, view(session.shown.image)),
            self.report: _lines(session.report),
            self.go_on: gr.update(interactive=session.result is not None),
            self.download: gr.update(value=None, interactive=False),
        }


def _editor_height(width: int, height: int) -> str:
    """Return a CSS height that leaves little room around a photo, in a narrow window too."""
    fitting = f"calc((100vw - 88px) * {height / width:.4f} + 70px)"
    return f"clamp(260px, {fitting}, clamp(300px, 58vh, 640px))"


def _header() -> str:
    return f"<h1>{TITLE}</h1><p>Paint over part of a photo; a network fills it in.</p>"


def _step(number: int, text: str) -> str:
    return f"<h2 class='step'><span>{number}</span>{text}</h2>"


def _waiting() -> str:
    return "<p>The result appears here, over the photo as it was.</p>"


def _about(session: Session) -> str:
    about = html.escape(described(session.photo))
    return f"<p>{about}</p>{_lines(*session.photo.notes)}"


def _lines(*sentences: str) -> str:
    shown = (_sentence(text) for text in sentences if text)
    return "".join(f"<p>{html.escape(text)}</p>" for text in shown)


def _sentence(text: str) -> str:
    """Return a note with a capital and a full stop."""
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")
