"""What is on the page, and where; nothing happens here."""

import gradio as gr

from keras_inpaint.inference.blend_methods import METHODS, USUAL
from keras_inpaint.inference.photo_formats import SUFFIXES
from keras_inpaint.serving.ui_canvas import BRUSH_ALPHA, BRUSH_COLOUR
from keras_inpaint.serving.ui_examples import examples

TITLE = "keras-inpaint"

_BRUSH_SIZE = 34  # radius on the canvas, of about a million pixels
_MOST_GROWTH = 32


def theme() -> gr.themes.Base:
    """Return the page's colours, and fonts that every system has."""
    return gr.themes.Default(
        primary_hue="rose",
        neutral_hue="slate",
        radius_size="lg",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "Consolas", "monospace"],
    )


class Layout:
    """The page's components, by what they are for.

    Args:
        models: Names of the completion networks, the default first.
        taken: String, what photos are taken.
    """

    def __init__(self, models: list[str], taken: str) -> None:
        with gr.Blocks(
            title=TITLE, analytics_enabled=False, delete_cache=(600, 7200), fill_width=True
        ) as self.blocks:
            gr.HTML(_header(), elem_id="head", padding=False)
            with gr.Column(elem_id="start") as self.start:
                self._lay_out_start(taken)
            with gr.Row(elem_id="desk", visible=False, equal_height=False) as self.desk:
                with gr.Column(elem_id="left", min_width=320):
                    self._lay_out_painting(models)
                with gr.Column(elem_id="right", min_width=320):
                    self._lay_out_result()

    def _lay_out_start(self, taken: str) -> None:
        gr.HTML(f"{_step(1, 'Choose a photo')}<p class='taken'>{taken}</p>", padding=False)
        self.upload = gr.File(
            file_types=sorted(SUFFIXES),
            height=230,
            show_label=False,
            label="Photo",
            elem_id="upload",
        )
        gr.HTML("<p class='or'>or try a drawn portrait, painted already</p>", padding=False)
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

    def _lay_out_painting(self, names: list[str]) -> None:
        with gr.Row(elem_classes="bar"):
            gr.HTML(_step(2, "Paint the hole"), padding=False)
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
        with gr.Accordion("Options", open=False, elem_id="options"):
            self.model = gr.Dropdown(
                names,
                value=names[0],
                label="Model",
                visible=len(names) > 1,
                elem_id="model",
            )
            self.blend = gr.Radio(
                [(method.capitalize(), method) for method in METHODS],
                value=USUAL,
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


def _header() -> str:
    return f"<h1>{TITLE}</h1><p>Paint a hole in a photo; a network fills it.</p>"


def _step(number: int, text: str) -> str:
    return f"<h2 class='step'><span>{number}</span>{text}</h2>"


def _waiting() -> str:
    return "<p>The result appears here, over the photo as it was.</p>"
