"""`keras-inpaint interpolate`: interpolate between the networks of phases 1 and 3."""

from pathlib import Path

import click


@click.command(
    epilog="Example: keras-inpaint interpolate runs/mine --weight 0.7 -o runs/mine/between.keras"
)
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--weight",
    type=click.FloatRange(0, 1),
    default=0.5,
    help="Weight of phase 3's network; the rest is phase 1's.",
)
@click.option(
    "--first",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Phase 1's network, a .keras file, if RUN started from another run.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="A .keras file.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
@click.option("--compact", is_flag=True, help="Round the weights to float16: half the file size.")
def command(
    run: Path, weight: float, first: Path | None, out: Path, overwrite: bool, compact: bool
) -> None:
    """Interpolate between the networks of phases 1 and 3 of the folder RUN.

    Phase 3 adds structure and, if trained for long, false texture; an interpolated network keeps
    most of the structure and loses most of the false texture.
    """
    from keras_inpaint.files import check_target
    from keras_inpaint.networks.weights import interpolate, read_network, write_network
    from keras_inpaint.training.run_folder import RunFolder

    if out.suffix != ".keras":
        raise click.BadParameter(f"the file must be .keras, got {out}", param_hint="--out")
    try:
        target = check_target(out, overwrite=overwrite)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    folder = RunFolder(run)
    files = (first or folder.first_phase_file, folder.completion_file)
    for file in files:
        if not file.is_file():
            raise click.ClickException(f"{file} does not exist: the run must have all phases")
    try:
        networks = [read_network(file) for file in files]
        network = interpolate(*networks, weight)
    except ValueError as error:
        raise click.ClickException(f"{run}: {error}") from error
    write_network(network, target, compact=compact)
    click.echo(out)
