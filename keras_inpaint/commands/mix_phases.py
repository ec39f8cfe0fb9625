"""Between blur and structure: a network between those of phases 1 and 3.

    python -m keras_inpaint.commands.mix_phases runs/mine --share 0.7 -o runs/mine/mixed.keras

Every weight, the statistics of batch normalisation included, is so much of phase 3's and the rest
of phase 1's. Phase 3 starts from phase 1's network and moves it little, so that what lies between
works too: it keeps most of the structure and loses most of the false texture.

Source: X. Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCV
Workshops 2018, section 3.4, https://doi.org/10.1007/978-3-030-11021-5_5.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import keras


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--share",
    type=click.FloatRange(0, 1),
    required=True,
    help="Of phase 3's weights, 0 to 1.",
)
@click.option(
    "--first",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Phase 1's network, where RUN went on from another run: a .keras file.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="A .keras file.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
@click.option("--compact", is_flag=True, help="Round the weights to float16: half of the bytes.")
def command(
    run: Path, share: float, first: Path | None, out: Path, overwrite: bool, compact: bool
) -> None:
    """Write the network that lies between those of phases 1 and 3 of the folder RUN."""
    from keras_inpaint.inference.atomic import check_target
    from keras_inpaint.networks.reading import read_network, write_network
    from keras_inpaint.training.run_folder import RunFolder

    if out.suffix != ".keras":
        raise click.BadParameter(f"{out}: name a .keras file", param_hint="--out")
    try:
        target = check_target(out, overwrite=overwrite)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    folder = RunFolder(run)
    files = (first or folder.first_phase_file, folder.completion_file)
    for file in files:
        if not file.is_file():
            raise click.ClickException(f"{file} does not exist: a run of all phases has it")
    try:
        networks = [read_network(file) for file in files]
        mixed = mix(*networks, share)
    except ValueError as error:
        raise click.ClickException(f"{run}: {error}") from error
    write_network(mixed, target, compact=compact)
    click.echo(out)


def mix(first: "keras.Model", last: "keras.Model", share: float) -> "keras.Model":
    """Return the network between two of one architecture, one trained on from the other.

    Args:
        first: `keras.Model`, such as a run's network after phase 1.
        last: `keras.Model`, such as the same after phase 3. It gets the new weights.
        share: Float in [0, 1], of the weights of `last`.

    Returns:
        `last`.

    Raises:
        ValueError: If the networks' weights differ in number or shape.
    """
    from keras_inpaint.networks.widening import obstacle

    why_not = obstacle(first, last) or obstacle(last, first)
    if why_not is not None:
        raise ValueError(f"the networks of the two phases differ in form: {why_not}")
    pairs = zip(first.get_weights(), last.get_weights(), strict=True)
    last.set_weights([(1 - share) * one + share * other for one, other in pairs])
    return last


if __name__ == "__main__":
    command()
