"""`keras-inpaint ui`: open a page to paint and fill holes."""

import logging
import os
import sys

import click

from keras_inpaint.commands.serve import check_models, import_server


@click.command(
    epilog="Examples: keras-inpaint ui; keras-inpaint ui --model runs/faces --model scenes.tflite"
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|PATH",
    help="A preset, a .keras or .tflite file, a SavedModel or a run's folder; may be repeated, "
    "to choose from on the page.  [default: all presets]",
)
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7860,
    help="Port to listen on; 0 chooses a free one.",
)
@click.option(
    "--open/--no-open",
    "opens",
    default=None,
    help="Open the page in a browser.  [default: if there is a screen and a terminal]",
)
def command(models: tuple[str, ...], host: str, port: int, opens: bool | None) -> None:
    """Open a page to paint and fill holes: drop a photo, brush, complete, compare, download.

    The page is that of `keras-inpaint serve`, which has more options. Photos stay on this
    computer, and the page loads nothing from other servers. Outside the painted holes, the
    downloaded file has the photo's own pixels. Ctrl-C stops the server.
    """
    check_models(models)
    server = import_server("ui")
    from keras_inpaint.serving import logs
    from keras_inpaint.serving.settings import API_KEY_VARIABLE, Settings

    try:
        settings = Settings(host=host, port=port, api_key=os.environ.get(API_KEY_VARIABLE))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    logs.configure("text", logging.WARNING, sys.stderr)
    click.echo("Loading ...")

    def on_ready(address: str) -> None:
        click.echo(f"The page is at {address} (Ctrl-C stops it)")
        if _has_screen() if opens is None else opens:
            click.launch(address)

    server.serve(models, settings, on_ready)
    click.echo("Stopped.")


def _has_screen() -> bool:
    """Return whether to open a browser by default: on a terminal of a computer with a screen."""
    if not sys.stdout.isatty():
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
