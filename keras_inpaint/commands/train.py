"""``keras-inpaint train``."""

import contextlib
import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from keras_inpaint.commands.quiet import import_tensorflow
from keras_inpaint.presets.registry import FAST_LEARNING
from keras_inpaint.processors import processors, switch_onednn_on
from keras_inpaint.training.config import TrainingConfig

#: The built-in portraits are learned small: 96 px, a quarter of the width.
SAMPLE_SETTINGS = {
    "size": 96,
    "width": 0.25,
    "steps": (900, 60, 120),
    "scale": (1.0, 1.0),
    **FAST_LEARNING,
}


def _options(function: Any) -> Any:
    """Add an option for every setting of `TrainingConfig` that has one."""
    for setting in reversed(dataclasses.fields(TrainingConfig)):
        if setting.metadata.get("option", True):
            function = _option(setting)(function)
    return function


def _option(setting: dataclasses.Field) -> Any:
    flag, limits = "--" + setting.name.replace("_", "-"), setting.metadata
    known: dict[str, Any] = {"default": None, "help": limits["help"]}
    kind = (*typing.get_args(setting.type), setting.type)[0]  # of float | None, or of a tuple
    if kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", **known)
    if isinstance(setting.default, tuple):
        known["nargs"] = len(setting.default)
    least = limits.get("above", limits.get("minimum"))
    if "choices" in limits:
        known["type"] = click.Choice(limits["choices"])
    elif least is not None:
        ranges = click.IntRange if kind is int else click.FloatRange
        known["type"] = ranges(
            min=least,
            max=limits.get("below", limits.get("maximum")),
            min_open="above" in limits,
            max_open="below" in limits,
        )
    else:
        known["type"] = kind
    return click.option(flag, setting.name, **known)


@click.command(
    "train",
    epilog="Example: keras-inpaint train photos/ --out runs/mine --size 128 --width 0.5 "
    "--steps 20000 1000 10000",
)
@click.argument("data", default="sample")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the run; runs/NAME if not set. The same command goes on where it stopped.",
)
@click.option("--fresh", is_flag=True, help="Start over where the folder holds a run.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Where TFDS keeps its data.")
@click.option(
    "--threads", type=click.IntRange(min=1), default=None, help="Processor threads; all if not set."
)
@click.option(
    "--strategy",
    type=click.Choice(("none", "mirrored", "multi-worker")),
    default="none",
    help="Share each batch: mirrored, among all GPUs; multi-worker, among the processes that "
    "TF_CONFIG names, each started with this command. A run may go on with another strategy.",
)
@click.option(
    "--data-service",
    help="grpc://HOST:PORT of a tf.data service that computes the batches, the same as without "
    "it. Of several workers of the service each computes all: one is enough.",
)
@click.option("--preset", help="Start from the settings of a preset; options given here win.")
@click.option(
    "--branch",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Cool down, in OUT, what this run has learned so far at its constant rate, over "
    "--cooldown steps (2000 if not set); the run itself stays. DATA and all else are the run's.",
)
@_options
def command(
    data: str,
    out: Path | None,
    fresh: bool,
    data_dir: str | None,
    threads: int | None,
    strategy: str,
    data_service: str | None,
    preset: str | None,
    branch: Path | None,
    **options: Any,
) -> None:
    """Train GLCIC in three phases: completion network, discriminator, both.

    DATA is a folder of photos (read recursively), tfds:NAME[@SPLIT], or sample[:COUNT], the
    400 portraits in the package (the default, with settings that take minutes rather than days).
    The folder OUT gets the completion network
    (completion.keras), contact sheets and an animation of held-out photos (samples/,
    progress.gif), the figures (metrics.csv, logs/) and the state to go on from.
    """
    given = {k: v for k, v in options.items() if v is not None}
    if branch is not None:
        _check_branch(click.get_current_context(), out, strategy)
    out = out or Path("runs") / (Path(data.partition(":")[2] or data).name or "here")
    if preset is None and data.partition(":")[0] == "sample":
        given = {**_sample_settings(given.get("size", SAMPLE_SETTINGS["size"])), **given}
    elif preset is not None:
        given = {**_preset_settings(preset), **given}
    if said := switch_onednn_on():
        click.echo(said, err=True)
    set_threads(threads)
    from keras_inpaint.commands.progress import TrainingProgress
    from keras_inpaint.training.devices import make_strategy, parse_service
    from keras_inpaint.training.schedule import train

    if branch is not None:
        from keras_inpaint.training.cooldown import branch_run

        config = branch_run(branch, out, options["cooldown"] or 2000)
    else:
        with _usage_errors():
            config = TrainingConfig(data=data, data_dir=data_dir, **given)
    with _usage_errors():
        if data_service is not None:
            parse_service(data_service)
        made = make_strategy(strategy, config.batch_size)
    with TrainingProgress(config) as progress:
        path = train(
            config,
            out,
            fresh=fresh,
            listener=progress.tell,
            strategy=made,
            data_service=data_service,
        )
    click.echo(f"Completion network: {path}")
    click.echo(f"Pictures: {out / 'samples'} and {out / 'progress.gif'}")
    click.echo(f"Use it: keras-inpaint complete PHOTO --mask MASK -o OUT --model {out}")


@contextlib.contextmanager
def _usage_errors() -> Iterator[None]:
    """Tell a ValueError as wrong usage."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _check_branch(context: click.Context, out: Path | None, strategy: str) -> None:
    """Refuse what a branch cannot have: it goes on with the settings of its run."""
    free = {"branch", "out", "cooldown", "threads", "strategy", "data_service"}
    given = click.core.ParameterSource.COMMANDLINE
    for parameter in context.command.params:
        if parameter.name not in free and context.get_parameter_source(parameter.name) is given:
            raise click.UsageError(f"--branch takes {parameter.name} from its run: leave it out")
    if out is None:
        raise click.UsageError("--branch needs --out, the folder of the run that cools down")
    if strategy == "multi-worker":
        raise click.UsageError("--branch is for one process: take --strategy none or mirrored")


def _sample_settings(size: int) -> dict[str, Any]:
    low, high = (round(part * size) for part in (0.2, 0.42))
    return {**SAMPLE_SETTINGS, "masks": f"rectangles:{low}-{high}x3"}


def _preset_settings(name: str) -> dict[str, Any]:
    from keras_inpaint.presets import PRESETS

    if name not in PRESETS:
        raise click.BadParameter(
            f"no preset {name!r}; there are {', '.join(sorted(PRESETS))}", param_hint="--preset"
        )
    return dict(PRESETS[name].training)


def set_threads(threads: int | None) -> None:
    """Give TensorFlow one queue of operations and all processors for each of them.

    Two queues on few processors fight each other; one was never slower.
    """
    tf = import_tensorflow()
    # A process that has computed already keeps the threads that it has.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.threading.set_intra_op_parallelism_threads(threads or processors())
