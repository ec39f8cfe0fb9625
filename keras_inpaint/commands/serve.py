"""`keras-inpaint serve`: complete photos over HTTP."""

import os
from types import ModuleType
from typing import Any

import click

_MIB = 2**20


@click.command(
    epilog="Example: keras-inpaint serve; then: curl -F photo=@photo.jpg -F mask=@mask.png "
    "http://127.0.0.1:8501/complete -o completed.jpg"
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|PATH",
    help="A preset, a .keras or .tflite file, a SavedModel or a run's folder; again for more than "
    "one.  [default: all presets]",
)
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8501)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=2, help="Photos completed at a time."
)
@click.option(
    "--queue",
    type=click.IntRange(0, 10_000),
    default=32,
    help="Further requests that may wait; 429 beyond them.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 86_400),
    default=120.0,
    metavar="S",
    help="Longest time of a request, waiting included; then its work is stopped, and 504.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0.1, 3600),
    default=10.0,
    metavar="S",
    help="When told to stop: how long to wait for what is in work before it is stopped, too.",
)
@click.option(
    "--max-body",
    type=click.FloatRange(0.001, 4096),
    default=32.0,
    metavar="MIB",
    help="Largest request; 413 beyond it.",
)
@click.option(
    "--max-pixels", type=click.IntRange(1), default=40_000_000, help="Largest photo; 413 beyond it."
)
@click.option(
    "--max-hole",
    type=click.IntRange(1),
    default=4_000_000,
    help="Most pixels of a photo's holes; 413 beyond them.",
)
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Web origin whose pages may ask, such as https://example.org; again for more.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Host name to answer to beside loopback's, where the server listens on loopback.",
)
@click.option("--log-format", type=click.Choice(["json", "text"]), default="json")
def command(models: tuple[str, ...], log_format: str, max_body: float, **options: Any) -> None:
    """Serve photos over HTTP: `POST /complete` with a photo and a mask.

    An API key, if there is to be one, is read from the environment variable
    KERAS_INPAINT_API_KEY. SIGTERM or Ctrl-C stop the server when what is in work is answered; a
    second one stops it at once. Tensors are served by TensorFlow Serving, Triton or KServe, which
    take what `export` writes: see export/.
    """
    from keras_inpaint.serving.settings import API_KEY_VARIABLE, Settings

    try:
        settings = Settings(
            max_body=round(max_body * _MIB), api_key=os.environ.get(API_KEY_VARIABLE), **options
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    check_models(models)
    server = import_server("serve")
    from keras_inpaint.serving import logs

    logs.configure(log_format)
    server.serve(models, settings)


def check_models(models: tuple[str, ...]) -> None:
    """Raise a ValueError at once where there is no such model."""
    from keras_inpaint import presets

    for model in models or (presets.DEFAULT_PRESET,):
        presets.resolve(model)


def import_server(name: str) -> ModuleType:
    """Return the module of the server, or say what packages a command needs for it."""
    try:
        from keras_inpaint.serving import server
    except ImportError as error:
        raise RuntimeError(
            f"{name} needs more packages ({error.name}): pip install 'keras-inpaint[serve]'"
        ) from error
    return server
