"""The page: choose a photo, paint the hole, complete it, compare, download."""

import functools
import html
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from keras_inpaint.serving.ui_canvas import editor_value, view
from keras_inpaint.serving.ui_layout import Layout
from keras_inpaint.serving.ui_session import Session
from keras_inpaint.serving.ui_work import Options, Work, described

logger = logging.getLogger(__name__)

# Where the result is below the photo, it is brought into view.
_TO_RESULT = """() => {
  if (window.innerWidth <= 720)
    setTimeout(() => document.getElementById("right").scrollIntoView(), 150);
}"""
_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_SLOW: dict[str, Any] = {
    "api_visibility": "private",
    "concurrency_id": "photos",
    "concurrency_limit": 1,
}


def build(work: Work, *, max_upload_bytes: int, on_loopback: bool) -> gr.Blocks:
    """Return the page.

    Args:
        work: What its buttons do.
        max_upload_bytes: Int, the largest file that is taken; the server sees to it.
        on_loopback: Whether the page and who looks at it are on one computer.
    """
    taken = f"JPEG, PNG, WebP, TIFF, BMP or GIF, up to {max_upload_bytes / 2**20:.4g} MiB."
    return _Page(work, f"{taken} It stays on this computer." if on_loopback else taken).blocks


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
        raise gr.Error(html.escape(message), print_exception=False)

    return wrapped


class _Page:
    """Connects the page; its methods are what the page's events call."""

    def __init__(self, work: Work, taken: str) -> None:
        self._work = work
        self._page = Layout(work.models.names, taken)
        with self._page.blocks:
            self._connect()

    @property
    def blocks(self) -> gr.Blocks:
        """The page, as Gradio knows it."""
        return self._page.blocks

    def _connect(self) -> None:
        outcome = [
            self._page.waiting,
            self._page.result,
            self._page.slider,
            self._page.report,
            self._page.go_on,
            self._page.download,
        ]
        everything = [
            *(self._page.start, self._page.desk, self._page.upload),
            *(self._page.editor, self._page.about, *outcome),
        ]
        # The editor measures its place when it is given a photo, so it is shown first.
        uploaded = self._page.upload.upload(
            self._on_upload,
            self._page.upload,
            everything,
            show_progress_on=self._page.upload,
            **_SLOW,
        )
        uploaded.failure(lambda: None, None, self._page.upload, **_QUIET)
        uploaded.success(self._on_shown, None, self._page.editor, **_QUIET)
        self._page.examples.select(
            self._on_example, None, everything, show_progress_on=self._page.examples, **_SLOW
        ).success(self._on_shown, None, self._page.editor, **_QUIET)
        self._page.editor.clear(self._on_cleared, None, self._page.editor, **_QUIET)
        self._page.other.click(self._on_other, None, everything, **_QUIET)
        self._page.complete.click(
            self._on_complete,
            [self._page.editor, self._page.model, self._page.blend, self._page.grow],
            outcome,
            show_progress_on=[self._page.waiting, self._page.slider],
            **_SLOW,
        ).success(self._on_write, None, [self._page.download, self._page.report], **_QUIET).success(
            None, js=_TO_RESULT
        )
        self._page.go_on.click(
            self._on_go_on, None, [self._page.editor, self._page.go_on], **_QUIET
        )
        self._page.back.click(self._on_back, None, everything, **_QUIET).success(
            self._on_write, None, [self._page.download, self._page.report], **_QUIET
        )
        self._page.blocks.unload(self._on_unload)

    @staticmethod
    def _key(request: gr.Request) -> str:
        return str(request.session_hash)

    def _session(self, request: gr.Request) -> Session:
        return _told(self._work.sessions.get)(self._key(request))

    def _on_upload(self, path: str, request: gr.Request) -> dict:
        return self._opened(_told(self._work.open_file)(self._key(request), Path(path)))

    def _on_example(self, event: gr.SelectData, request: gr.Request) -> dict:
        return self._opened(_told(self._work.open_example)(self._key(request), int(event.index)))

    def _opened(self, session: Session) -> dict:
        return {
            self._page.start: gr.update(visible=False),
            self._page.desk: gr.update(visible=True),
            self._page.upload: None,
            self._page.editor: gr.update(height=_editor_height(*session.photo.size)),
            self._page.about: _about(session),
            **self._outcome_of(session),
        }

    def _on_shown(self, request: gr.Request) -> dict:
        session = self._session(request)
        return editor_value(session.photo.image, session.strokes)

    def _on_cleared(self, request: gr.Request) -> dict:
        session = self._session(request)
        return editor_value(session.photo.image)

    def _on_other(self, request: gr.Request) -> dict:
        self._work.close(self._key(request))
        return {
            self._page.start: gr.update(visible=True),
            self._page.desk: gr.update(visible=False),
            self._page.editor: None,
            self._page.upload: None,
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
            self._page.editor: editor_value(session.photo.image),
            self._page.go_on: gr.update(interactive=False),
        }

    def _on_back(self, request: gr.Request) -> dict:
        key = self._key(request)
        steps = len(self._session(request).steps)
        session = _told(self._work.step_back)(key)
        updates = self._outcome_of(session)
        if len(session.steps) < steps:
            updates[self._page.editor] = editor_value(session.photo.image, session.strokes)
        return updates

    def _on_write(self, request: gr.Request) -> dict:
        session = self._session(request)
        if not session.has_changed:
            return {self._page.download: gr.skip()}
        written = _told(self._work.write)(self._key(request))
        width, height = session.shown.size
        label = f"Download {session.shown.format}, {width}x{height}"
        return {
            self._page.download: gr.update(value=str(written.path), label=label, interactive=True),
            self._page.report: _lines(session.report, *written.notes),
        }

    def _on_unload(self, request: gr.Request) -> None:
        self._work.close(self._key(request))

    def _outcome_of(self, session: Session) -> dict:
        if not session.has_changed:
            return {
                self._page.waiting: gr.update(visible=True),
                self._page.result: gr.update(visible=False),
            }
        return {
            self._page.waiting: gr.update(visible=False),
            self._page.result: gr.update(visible=True),
            self._page.slider: (session.before, view(session.shown.image)),
            self._page.report: _lines(session.report),
            self._page.go_on: gr.update(interactive=session.result is not None),
            self._page.download: gr.update(value=None, interactive=False),
        }


def _editor_height(width: int, height: int) -> str:
    """Return a CSS height that leaves little room around a photo, in a narrow window too."""
    fitting = f"calc((100vw - 88px) * {height / width:.4f} + 70px)"
    return f"clamp(260px, {fitting}, clamp(300px, 58vh, 640px))"


def _about(session: Session) -> str:
    about = html.escape(described(session.photo))
    return f"<p>{about}</p>{_lines(*session.photo.notes)}"


def _lines(*sentences: str) -> str:
    shown = (_sentence(text) for text in sentences if text)
    return "".join(f"<p>{html.escape(text)}</p>" for text in shown)


def _sentence(text: str) -> str:
    """Return a note with a capital and a full stop."""
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")
