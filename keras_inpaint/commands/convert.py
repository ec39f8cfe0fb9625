"""`keras-inpaint convert`: convert the weights of other projects to a Keras file."""

from pathlib import Path

import click

from keras_inpaint.networks.converters.projects import PROJECTS
from keras_inpaint.networks.converters.published import PUBLISHED

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    epilog="Examples: keras-inpaint convert cn.pth --config config.json -o celeba/glcic.keras; "
    "keras-inpaint convert --from mmagic:places --accept-licence -o places/glcic.keras"
)
@click.argument("file", type=_FILE, required=False)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="A .keras file; model_card.json is written beside it.",
)
@click.option(
    "--from",
    "source",
    type=click.Choice(["auto", *PROJECTS, *PUBLISHED]),
    metavar="PROJECT|NAME",
    default="auto",
    help=f"The project that wrote FILE: {', '.join(PROJECTS)}; auto detects it. Or, without FILE, "
    f"weights to download from their project: {', '.join(PUBLISHED)}.",
)
@click.option("--config", type=_FILE, help="GLCIC-PyTorch's config.json, beside its weights.")
@click.option(
    "--accept-licence", is_flag=True, help="Accept the licence of the weights to download."
)
@click.option("--overwrite", is_flag=True, help="Replace OUT and the card beside it.")
def command(
    file: Path | None,
    out: Path,
    source: str,
    config: Path | None,
    accept_licence: bool,
    overwrite: bool,
) -> None:
    """Convert the completion network in FILE, a .pth or .t7 of another GLCIC project.

    Requires neither PyTorch nor Torch7, and never executes code from FILE. The weights keep their
    licence.
    """
    _check_usage(file, out, source, config, accept_licence)
    import json

    from rich.progress import DownloadColumn

    from keras_inpaint.commands.progress import counted
    from keras_inpaint.files import check_target, replacing
    from keras_inpaint.networks.converters.convert import convert_weights
    from keras_inpaint.networks.weights import write_network
    from keras_inpaint.presets.registry import CARD_FILE

    inputs = [path for path in (file, config) if path is not None]
    try:
        target = check_target(out, overwrite=overwrite, inputs=inputs)
        card_target = check_target(out.with_name(CARD_FILE), overwrite=overwrite, inputs=inputs)
        if file is not None:
            network, card = convert_weights(file, source, config=config)
        else:
            with counted(f"Fetching {source}", DownloadColumn()) as progress:
                network, card = convert_weights(
                    source, accept_licence=accept_licence, progress=progress
                )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    with replacing(card_target) as draft:
        draft.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")
        write_network(network, target)
    if file is not None:
        click.echo(f"Licence of the weights: {card['licence']}", err=True)
    click.echo(out)


def _check_usage(
    file: Path | None, out: Path, source: str, config: Path | None, accept_licence: bool
) -> None:
    if out.suffix != ".keras":
        raise click.BadParameter(f"the file must be .keras, got {out}", param_hint="--out")
    if source not in PUBLISHED:
        if file is None:
            raise click.UsageError(
                "give FILE, or weights to download: --from " + ", ".join(PUBLISHED)
            )
        return
    if file is not None:
        raise click.UsageError(f"--from {source} is downloaded: omit {file}")
    if config is not None:
        raise click.UsageError(f"--from {source} needs no config.json: omit --config")
    click.echo(f"Licence of {source}: {PUBLISHED[source].licence}", err=True)
    if not accept_licence:
        raise click.UsageError(
            f"the licence of {source} does not allow every use: read it above, and give "
            "--accept-licence to download the weights"
        )
