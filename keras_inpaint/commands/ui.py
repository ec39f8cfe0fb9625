"""`keras-inpaint ui`: open a page to paint holes on."""

import importlib.util
import os
import sys

import click


@click.command(
    epilog="Examples: keras-inpaint ui; keras-inpaint ui --model runs/faces --model scenes.tflite"
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|PATH",
    help="A preset, a .keras or .tflite file, a SavedModel or a run's folder; may be repeated, "
    "to choose from on the page.  [default: all presets whose weights are installed]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7860,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--open/--no-open",
    "opens",
    default=None,
    help="Open the page in a browser.  [default: where there is a screen and a terminal]",
)
@click.option(
    "--max-upload",
    type=click.FloatRange(0.001, 4096),
    default=64.0,
    show_default=True,
    metavar="MIB",
    help="Largest photo file.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=40_000_000,
    show_default=True,
    help="Largest photo.",
)
def command(
    models: tuple[str, ...],
    host: str,
    port: int,
    opens: bool | None,
    max_upload: float,
    max_pixels: int,
) -> None:
    """Open a page to paint holes on: drop a photo, brush, complete, compare, download.

    Photos stay on this computer, and the page loads nothing from anywhere else. Outside what is
    painted, the file to download holds the photo's own pixels. Ctrl-C stops it.
    """
    from keras_inpaint.serving.ui_models import Models

    offered = Models(models)
    for package in ("gradio", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise RuntimeError(
                f"ui needs more packages ({package}): pip install 'keras-inpaint[ui]'"
            )
    from keras_inpaint.serving import ui

    settings = ui.Settings(host, port, round(max_upload * 2**20), max_pixels)
    click.echo(f"Loading {offered.names[0]} ...")

    def tell(address: str) -> None:
        click.echo(f"The page is at {address} (Ctrl-C stops it)")
        if not settings.on_loopback:
            click.echo(f"Warning: anyone who reaches {host} can use it: no password.", err=True)
        if _has_screen() if opens is None else opens:
            click.launch(address)

    ui.serve(offered, settings, tell)
    click.echo("Stopped.")


def _has_screen() -> bool:
    """Return whether a browser may be opened without asking: a person sits here."""
    if not sys.stdout.isatty():
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
