"""``keras-inpaint train``."""

import contextlib
from pathlib import Path
from typing import Any

import click

from keras_inpaint.commands.quiet import import_tensorflow
from keras_inpaint.data.mask_specs import GRAMMAR
from keras_inpaint.presets.registry import FAST_LEARNING
from keras_inpaint.processors import processors, switch_onednn_on

#: The built-in portraits are learned small: 96 px, a quarter of the width.
SAMPLE_SETTINGS = {
    "size": 96,
    "width": 0.25,
    "steps": (900, 60, 120),
    "scale": (1.0, 1.0),
    **FAST_LEARNING,
}

_HELP = {
    "init": "Start from these weights: a preset, a run's folder or a .keras file of the same "
    "kernels and of this width or a smaller one, or one that `convert` made.",
    "preset": "Start from the settings of a preset; options given here win.",
    "size": "Side of the training crops in pixels, a multiple of 4.",
    "width": "Multiplier of the networks' channels.",
    "batch_size": "Images a step.",
    "steps": "Steps of the three phases; 0 leaves a phase out.",
    "masks": f"The holes: {GRAMMAR} (white is the hole). Of several an image draws one.",
    "patch_size": "Side of the local discriminator's patch in pixels.",
    "scale": "The shortest side is resized to LOW to HIGH times the crop before it is cut.",
    "flip": "Mirror half of the images.",
    "held_out": "Part of the images, by group, kept for judging.",
    "seed": "Seed of the weights, the batches and the split.",
    "precision": "What to compute in; auto asks the machine.",
    "optimizer": "Keras optimiser by name, such as adadelta, adam or muon.",
    "learning_rate": "Of the completion network; adadelta's is 1.0.",
    "discriminator_optimizer": "Of the discriminator; the completion network's if not set.",
    "discriminator_learning_rate": "Of the discriminator.",
    "joint_learning_rate": "Of the completion network in phase 3.",
    "decay": "Learning rate over a phase.",
    "alpha": "Weight of the adversarial loss.",
    "adversarial": "Form of the adversarial loss; hinge for a discriminator that wins.",
    "label_smoothing": "Real images are labelled 1 minus this; for a discriminator that wins.",
    "ema": "Momentum of an average of the weights, such as 0.999; for pictures that flicker.",
    "clip_norm": "Largest gradient norm, such as 1; for a loss that jumps.",
    "on_collapse": "What to do when the discriminator wins.",
    "first_kernel": "Kernel size of the first convolution.",
    "last_kernel": "Kernel size of the last convolution; larger is smoother.",
    "discriminator_width": "Multiplier of the discriminator's channels, if not --width.",
    "log_every": "Steps a row of metrics.csv.",
    "judge_every": "Steps between contact sheets; 0 makes about twelve a phase.",
}


def _options(function: Any) -> Any:
    choice = click.Choice
    types: dict[str, Any] = {
        "preset": str,
        "init": str,
        "size": click.IntRange(min=4),
        "width": click.FloatRange(0, 16, min_open=True),
        "discriminator_width": click.FloatRange(0, 16, min_open=True),
        "batch_size": click.IntRange(min=1),
        "masks": str,
        "patch_size": click.IntRange(min=4),
        "held_out": click.FloatRange(0, 1, max_open=True),
        "seed": int,
        "precision": choice(["auto", "float32", "mixed_bfloat16", "mixed_float16"]),
        "optimizer": str,
        "learning_rate": click.FloatRange(0, min_open=True),
        "discriminator_optimizer": str,
        "discriminator_learning_rate": click.FloatRange(0, min_open=True),
        "joint_learning_rate": click.FloatRange(0, min_open=True),
        "decay": choice(["constant", "cosine"]),
        "alpha": click.FloatRange(0),
        "adversarial": choice(["bce", "hinge"]),
        "label_smoothing": click.FloatRange(0, 0.5, max_open=True),
        "ema": click.FloatRange(0, 1, max_open=True),
        "clip_norm": click.FloatRange(0),
        "on_collapse": choice(["warn", "stop", "rebalance"]),
        "first_kernel": click.IntRange(min=1),
        "last_kernel": click.IntRange(min=1),
        "log_every": click.IntRange(min=1),
        "judge_every": click.IntRange(min=0),
    }
    for name, kind in reversed(types.items()):
        flag = "--" + name.replace("_", "-")
        function = click.option(flag, name, type=kind, default=None, help=_HELP[name])(function)
    function = click.option(
        "--steps", nargs=3, type=click.IntRange(min=0), default=None, help=_HELP["steps"]
    )(function)
    function = click.option(
        "--scale", nargs=2, type=click.FloatRange(1), default=None, help=_HELP["scale"]
    )(function)
    return click.option("--flip/--no-flip", default=None, help=_HELP["flip"])(function)


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
@_options
def command(
    data: str,
    out: Path | None,
    fresh: bool,
    data_dir: str | None,
    threads: int | None,
    preset: str | None,
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
    out = out or Path("runs") / (Path(data.partition(":")[2] or data).name or "here")
    if preset is None and data.partition(":")[0] == "sample":
        given = {**_sample_settings(given.get("size", SAMPLE_SETTINGS["size"])), **given}
    elif preset is not None:
        given = {**_preset_settings(preset), **given}
    if said := switch_onednn_on():
        click.echo(said, err=True)
    set_threads(threads)
    from keras_inpaint.commands.train_progress import TrainingProgress
    from keras_inpaint.training.config import TrainingConfig
    from keras_inpaint.training.schedule import train

    try:
        config = TrainingConfig(data=data, data_dir=data_dir, **given)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with TrainingProgress(config) as progress:
        path = train(config, out, fresh=fresh, listener=progress.tell)
    click.echo(f"Completion network: {path}")
    click.echo(f"Pictures: {out / 'samples'} and {out / 'progress.gif'}")
    click.echo(f"Use it: keras-inpaint complete PHOTO --mask MASK -o OUT --model {out}")


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
