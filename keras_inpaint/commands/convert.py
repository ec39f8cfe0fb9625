"""keras-inpaint convert: weights of other projects as a Keras file."""

from pathlib import Path

import click

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    epilog="Example: keras-inpaint convert cn.pth --config config.json -o converted/glcic.keras"
)
@click.argument("file", type=_FILE)
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
    type=click.Choice(["auto", "glcic-pytorch", "mmagic", "torch7"]),
    default="auto",
    show_default=True,
    help="The project that wrote FILE; auto looks into it.",
)
@click.option("--config", type=_FILE, help="GLCIC-PyTorch's config.json, beside its weights.")
@click.option("--overwrite", is_flag=True, help="Replace OUT and the card beside it.")
def command(file: Path, out: Path, source: str, config: Path | None, overwrite: bool) -> None:
    """Convert the completion network in FILE, a .pth or .t7 of another GLCIC project.

    Needs neither PyTorch nor Torch7, and runs nothing that FILE holds. The weights' licence stays
    what it was.
    """
    if out.suffix != ".keras":
        raise click.BadParameter(f"{out}: name a .keras file", param_hint="--out")
    import json

    from keras_inpaint.converters.convert import convert_weights
    from keras_inpaint.exporting.model_card import CARD_NAME
    from keras_inpaint.inference.atomic import check_target
    from keras_inpaint.networks.reading import write_network
    from keras_inpaint.replacing import replacing

    inputs = [file] if config is None else [file, config]
    try:
        target = check_target(out, overwrite=overwrite, inputs=inputs)
        card_target = check_target(out.with_name(CARD_NAME), overwrite=overwrite, inputs=inputs)
        network, card = convert_weights(file, source, config=config)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    with replacing(target) as temporary, replacing(card_target) as temporary_card:
        write_network(network, temporary)
        temporary_card.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")
    click.echo(f"Licence of the weights: {card['licence']}", err=True)
    click.echo(out)
