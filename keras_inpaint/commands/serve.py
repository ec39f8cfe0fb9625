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
    help="A preset, a .keras or .tflite file, a SavedModel or a run's folder; may be repeated.  "
    "[default: all presets]",
)
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8501)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=2, help="Number of photos completed at a time."
)
@click.option(
    "--queue",
    type=click.IntRange(0, 10_000),
    default=32,
    help="Number of further requests that may wait; others receive a 429.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 86_400),
    default=120.0,
    metavar="S",
    help="Longest time of a request, including waiting; then it is cancelled with a 504.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0.1, 3600),
    default=10.0,
    metavar="S",
    help="Time to wait for running requests when the server stops, before they are cancelled.",
)
@click.option(
    "--max-body",
    type=click.FloatRange(0.001, 4096),
    default=32.0,
    metavar="MIB",
    help="Largest request; larger ones receive a 413.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=40_000_000,
    help="Largest photo in pixels; larger ones receive a 413.",
)
@click.option(
    "--max-hole",
    type=click.IntRange(1),
    default=4_000_000,
    help="Largest number of hole pixels; photos with more receive a 413.",
)
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Web origin whose pages may send requests, such as https://example.org; may be repeated.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Further host name to allow if the server listens on loopback; may be repeated.",
)
@click.option("--log-format", type=click.Choice(["json", "text"]), default="json")
def command(models: tuple[str, ...], log_format: str, max_body: float, **options: Any) -> None:
    """Complete photos over HTTP: `POST /complete` with a photo and a mask.

    An optional API key is read from the environment variable KERAS_INPAINT_API_KEY. SIGTERM or
    Ctrl-C stop the server after the running requests; a second one stops it immediately. To serve
    tensors, use `export` with TensorFlow Serving, Triton or KServe: see export/.
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
    """Raise a ValueError if a model does not exist."""
    from keras_inpaint import presets

    for model in models or (presets.DEFAULT_PRESET,):
        presets.resolve(model)


def import_server(name: str) -> ModuleType:
    """Return the server's module; raise an error with the command to install its packages."""
    try:
        from keras_inpaint.serving import server
    except ImportError as error:
        raise RuntimeError(
            f"{name} needs more packages ({error.name}): pip install 'keras-inpaint[serve]'"
        ) from error
    return server
