"""``keras-inpaint train``: train GLCIC in three phases."""

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

#: Settings for the built-in portraits: small photos and a quarter of the width.
SAMPLE_SETTINGS = {
    "size": 96,
    "width": 0.25,
    "steps": (900, 60, 120),
    "scale": (1.0, 1.0),
    **FAST_LEARNING,
}


def _options(function: Any) -> Any:
    """Add the options of `TrainingConfig` to a command."""
    for setting in reversed(dataclasses.fields(TrainingConfig)):
        if setting.metadata.get("option", True):
            function = _option(setting)(function)
    return function


def _option(setting: dataclasses.Field) -> Any:
    flag, limits = "--" + setting.name.replace("_", "-"), setting.metadata
    known: dict[str, Any] = {"default": None, "help": limits["help"]}
    kind = (*typing.get_args(setting.type), setting.type)[0]  # for float | None, or a tuple
    if kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", **known)
    if isinstance(setting.default, tuple):
        known["nargs"] = len(setting.default)
    minimum = limits.get("above", limits.get("minimum"))
    if "choices" in limits:
        known["type"] = click.Choice(limits["choices"])
    elif minimum is not None:
        ranges = click.IntRange if kind is int else click.FloatRange
        known["type"] = ranges(
            min=minimum,
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
    help="Folder of the run; runs/NAME if not set. The same command resumes a stopped run.",
)
@click.option("--fresh", is_flag=True, help="Start over even if the folder contains a run.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of the TFDS data.")
@click.option(
    "--threads", type=click.IntRange(min=1), default=None, help="Processor threads; all if not set."
)
@click.option(
    "--strategy",
    type=click.Choice(("none", "mirrored", "multi-worker")),
    default="none",
    help="Distribute each batch: mirrored, over all GPUs; multi-worker, over the processes listed "
    "in TF_CONFIG, each started with this command. A run may be resumed with another strategy.",
)
@click.option(
    "--data-service",
    help="grpc://HOST:PORT of a tf.data service that computes the batches, which are the same as "
    "without it. One worker is enough: each worker of the service computes all batches.",
)
@click.option("--preset", help="Use the settings of a preset; other options override them.")
@click.option(
    "--branch",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Decay the learning rate of this run's current state over --cooldown steps (2000 if not "
    "set) in a new run OUT; the run itself does not change. DATA and all other options are those "
    "of the run.",
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

    DATA is a folder of photos (searched recursively), tfds:NAME[@SPLIT], or sample[:COUNT], the
    400 bundled portraits (the default, with settings that take minutes rather than days). The
    folder OUT contains the completion network (completion.keras), contact sheets and an animation
    of held-out photos (samples/, progress.gif), the metrics (metrics.csv, logs/) and the state to
    resume from.
    """
    settings = {k: v for k, v in options.items() if v is not None}
    if branch is not None:
        _check_branch(click.get_current_context(), out, strategy)
    out = out or Path("runs") / (Path(data.partition(":")[2] or data).name or "here")
    if preset is None and data.partition(":")[0] == "sample":
        settings = {**_sample_settings(settings.get("size", SAMPLE_SETTINGS["size"])), **settings}
    elif preset is not None:
        settings = {**_preset_settings(preset), **settings}
    if message := switch_onednn_on():
        click.echo(message, err=True)
    set_threads(threads)
    from keras_inpaint.commands.progress import TrainingProgress
    from keras_inpaint.training.devices import make_strategy, parse_service
    from keras_inpaint.training.schedule import train

    if branch is not None:
        from keras_inpaint.training.cooldown import branch_run

        config = branch_run(branch, out, options["cooldown"] or 2000)
    else:
        with _usage_errors():
            config = TrainingConfig(data=data, data_dir=data_dir, **settings)
    with _usage_errors():
        if data_service is not None:
            parse_service(data_service)
        distribution = make_strategy(strategy, config.batch_size)
    with TrainingProgress(config) as progress:
        path = train(
            config,
            out,
            fresh=fresh,
            listener=progress.tell,
            strategy=distribution,
            data_service=data_service,
        )
    click.echo(f"Completion network: {path}")
    click.echo(f"Images: {out / 'samples'} and {out / 'progress.gif'}")
    click.echo(f"Use it: keras-inpaint complete PHOTO --mask MASK -o OUT --model {out}")


@contextlib.contextmanager
def _usage_errors() -> Iterator[None]:
    """Report a ValueError as wrong usage."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _check_branch(context: click.Context, out: Path | None, strategy: str) -> None:
    """Raise an error for options that a branch takes from its run."""
    free = {"branch", "out", "cooldown", "threads", "strategy", "data_service"}
    command_line = click.core.ParameterSource.COMMANDLINE
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name)
        if parameter.name not in free and source is command_line:
            raise click.UsageError(f"--branch takes {parameter.name} from its run: omit it")
    if out is None:
        raise click.UsageError("--branch requires --out, the folder of the new run")
    if strategy == "multi-worker":
        raise click.UsageError(
            f"--branch requires --strategy none or mirrored, got {strategy}: it runs in one process"
        )


def _sample_settings(size: int) -> dict[str, Any]:
    low, high = (round(part * size) for part in (0.2, 0.42))
    return {**SAMPLE_SETTINGS, "masks": f"rectangles:{low}-{high}x3"}


def _preset_settings(name: str) -> dict[str, Any]:
    from keras_inpaint.presets import PRESETS

    if name not in PRESETS:
        raise click.BadParameter(
            f"no preset {name!r}; presets: {', '.join(sorted(PRESETS))}", param_hint="--preset"
        )
    return dict(PRESETS[name].training)


def set_threads(threads: int | None) -> None:
    """Let TensorFlow run one operation at a time, each on all processors.

    Several operations at a time compete for few processors; one was never slower.
    """
    tf = import_tensorflow()
    # The threads cannot be changed after the first computation.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.threading.set_intra_op_parallelism_threads(threads or processors())
