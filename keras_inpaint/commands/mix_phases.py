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
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="A .keras file.")
def command(run: Path, share: float, out: Path) -> None:
    """Write the network that lies between those of phases 1 and 3 of the folder RUN."""
    from keras_inpaint.networks.reading import read_network
    from keras_inpaint.training.replacing import replacing
    from keras_inpaint.training.run_folder import RunFolder

    if out.suffix != ".keras":
        raise click.BadParameter(f"{out}: name a .keras file", param_hint="--out")
    if out.exists():
        raise click.ClickException(f"{out} exists")
    folder = RunFolder(run)
    for file in (folder.first_phase_file, folder.completion_file):
        if not file.is_file():
            raise click.ClickException(f"{file} does not exist: a run of all phases has it")
    mixed = mix(read_network(folder.first_phase_file), read_network(folder.completion_file), share)
    with replacing(out) as temporary:
        mixed.save(temporary)
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
    pairs = list(zip(first.get_weights(), last.get_weights(), strict=True))
    if any(one.shape != other.shape for one, other in pairs):
        raise ValueError("the networks differ in width or kernels")
    last.set_weights([(1 - share) * one + share * other for one, other in pairs])
    return last


if __name__ == "__main__":
    command()
