"""`keras-inpaint serve`: answer over HTTP and gRPC."""

import os
from typing import Any

import click

from keras_inpaint.presets import DEFAULT_PRESET

_MIB = 2**20


@click.command(
    epilog="Example: keras-inpaint serve --model models/faces; then: curl -F photo=@photo.jpg "
    "-F mask=@mask.png http://127.0.0.1:8501/complete -o completed.jpg"
)
@click.option(
    "--model",
    default=DEFAULT_PRESET,
    show_default=True,
    metavar="NAME|PATH",
    help="A preset, a .keras file, a run's folder, a SavedModel folder NAME or NAME/1, or a "
    "folder of several such NAMEs.",
)
@click.option("--name", help="Name to serve the model under [default: its folder's or preset's].")
@click.option(
    "--versions",
    default="all",
    show_default=True,
    metavar="all|latest|latest:N|N,N",
    help="Which versions of each model are served; the highest answers where none is named.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8501, show_default=True)
@click.option("--grpc-port", type=click.IntRange(0, 65535), default=8500, show_default=True)
@click.option("--grpc/--no-grpc", default=True, help="Serve gRPC too [default: yes].")
@click.option(
    "--max-batch-size",
    type=click.IntRange(1, 1024),
    default=8,
    show_default=True,
    help="Most photos completed in one call of the network; 1 turns batching off.",
)
@click.option(
    "--max-batch-pixels",
    type=click.IntRange(1),
    help="Most pixels of such a call [default: 65536 on processors, where joining larger photos "
    "gains nothing; on a GPU as --max-tensor-pixels].",
)
@click.option(
    "--batch-window",
    type=click.FloatRange(0, 1000),
    default=5.0,
    show_default=True,
    metavar="MS",
    help="How long the first request of a batch waits for others of its size.",
)
@click.option(
    "--inference-threads",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Calls of networks at a time.",
)
@click.option(
    "--processor-threads",
    type=click.IntRange(1, 1024),
    help="Threads that share one operation of a call [default: one a processor].",
)
@click.option(
    "--max-body",
    type=click.FloatRange(0.001, 4096),
    default=32.0,
    show_default=True,
    metavar="MIB",
    help="Largest request; 413 beyond it. For gRPC see --grpc-max-message.",
)
@click.option(
    "--max-photo-pixels",
    type=click.IntRange(1),
    default=40_000_000,
    show_default=True,
    help="Largest photo that /complete takes; 413 beyond it.",
)
@click.option(
    "--max-tensor-pixels",
    type=click.IntRange(1),
    default=4 * _MIB,
    show_default=True,
    help="Most pixels, over the batch, of one request for tensors; 413 beyond it.",
)
@click.option(
    "--max-concurrency",
    type=click.IntRange(1, 10_000),
    default=16,
    show_default=True,
    help="Requests in work at a time.",
)
@click.option(
    "--max-queue",
    type=click.IntRange(0, 100_000),
    default=64,
    show_default=True,
    help="Further requests that may wait; 429 beyond them.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 86_400),
    default=120.0,
    show_default=True,
    metavar="S",
    help="Longest time of a request in work and queue; 504 beyond it.",
)
@click.option(
    "--drain",
    type=click.FloatRange(0, 600),
    default=1.0,
    show_default=True,
    metavar="S",
    help="When stopping: how long to say 'not ready' while still taking requests.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0.1, 3600),
    default=30.0,
    show_default=True,
    metavar="S",
    help="When stopping: how long to wait for what is in work.",
)
@click.option(
    "--poll",
    type=click.FloatRange(0, 86_400),
    default=10.0,
    show_default=True,
    metavar="S",
    help="How often to look for new versions in the model folders; 0 never.",
)
@click.option(
    "--grpc-max-message",
    type=click.FloatRange(0.001, 2047),
    default=32.0,
    show_default=True,
    metavar="MIB",
    help="Largest gRPC message, both ways.",
)
@click.option(
    "--allow-origin",
    multiple=True,
    metavar="ORIGIN",
    help="Web origin whose pages may ask (CORS), such as https://example.org; may be repeated. "
    "None by default.",
)
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="Host name to answer to; may be repeated; '*' for any. By default, loopback names where "
    "the server listens on loopback, else any.",
)
@click.option(
    "--log-format", type=click.Choice(["json", "text"]), default="json", show_default=True
)
def command(**options: Any) -> None:
    """Serve a model: TensorFlow Serving's REST, Open Inference Protocol v2 (HTTP and gRPC), files.

    An API key, if there is to be one, is read from the environment variable
    KERAS_INPAINT_API_KEY. SIGTERM or Ctrl-C stop the server when what is in work is answered; a
    second one stops it at once.
    """
    from keras_inpaint.serving import repository
    from keras_inpaint.serving.settings import API_KEY_VARIABLE, Settings

    try:
        policy = repository.check_policy(options["versions"])
        settings = Settings(
            host=options["host"],
            port=options["port"],
            grpc_port=options["grpc_port"] if options["grpc"] else None,
            max_batch_size=options["max_batch_size"],
            max_batch_pixels=options["max_batch_pixels"],
            batch_window_seconds=options["batch_window"] / 1000,
            inference_threads=options["inference_threads"],
            processor_threads=options["processor_threads"],
            max_body_bytes=round(options["max_body"] * _MIB),
            max_photo_pixels=options["max_photo_pixels"],
            max_tensor_pixels=options["max_tensor_pixels"],
            max_concurrency=options["max_concurrency"],
            max_queue=options["max_queue"],
            request_seconds=options["timeout"],
            drain_seconds=options["drain"],
            grace_seconds=options["grace"],
            poll_seconds=options["poll"],
            grpc_max_message_bytes=round(options["grpc_max_message"] * _MIB),
            allow_origins=options["allow_origin"],
            allowed_hosts=options["allow_host"],
            api_key=os.environ.get(API_KEY_VARIABLE),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    sources = repository.find_sources(options["model"], options["name"])
    try:
        from keras_inpaint.serving import logs, server
    except ImportError as error:
        raise RuntimeError(
            f"serve needs more packages ({error.name}): pip install 'keras-inpaint[serve]'"
        ) from error
    logs.configure(options["log_format"])
    server.serve(sources, settings, versions=policy)
