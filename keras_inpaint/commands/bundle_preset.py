"""For maintainers: bundle a run's network and its card with the package.

    python -m keras_inpaint.commands.bundle_preset runs/faces faces --notes notes.json \
        --evaluation center.json --evaluation box.json

`notes.json` has the entries that the run's files lack: `intended_use`, `limits`, `licence`,
`training_data` (a list of `source`, `photos`, `licence`, `attribution`) and, in `training`,
further facts about the run, such as its hours and hardware.
"""

import csv
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("name")
@click.option(
    "--notes", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True
)
@click.option(
    "--evaluation",
    "evaluations",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    required=True,
    help="A file written by `keras-inpaint evaluate RUN --json`; may be repeated.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="The folder to write; by default the package's."
)
def command(
    run: Path, name: str, notes: Path, evaluations: tuple[Path, ...], out: Path | None
) -> None:
    """Bundle the network of the folder RUN with the package as the weights of preset NAME."""
    from keras_inpaint.files import read_json_object
    from keras_inpaint.presets import preset_named

    preset = preset_named(name)
    figures = [read_json_object(file) for file in evaluations]
    folder = bundle(run, name, read_json_object(notes), figures, out)
    for file in sorted(folder.iterdir()):
        click.echo(f"{file.stat().st_size:>10,} bytes  {file}")
    if preset.expected is None:
        click.echo(f"Add the expected result of {name} to presets/registry.py")


def bundle(
    run: Path,
    name: str,
    notes: dict[str, Any],
    evaluations: list[dict[str, Any]],
    out: Path | None = None,
) -> Path:
    """Write a preset's `completion.keras`, `completion.tflite` and `model_card.json`.

    Args:
        run: Path of the run's folder.
        name: String, the preset's name.
        notes: Dict, the entries of the card that the run's files lack.
        evaluations: Dicts, contents of evaluations of this network.
        out: Path of the folder to write; None is the package's.

    Returns:
        The path of the folder.

    Raises:
        ValueError: If an evaluation is of another network, or the card is incomplete.
    """
    from keras_inpaint.exporting.tflite import export_tflite
    from keras_inpaint.presets import preset_named
    from keras_inpaint.presets.cards import (
        CARD_FORMAT,
        check_card,
        figures_of,
        files_of,
        sizes_of_training,
    )
    from keras_inpaint.presets.registry import CARD_FILE, KERAS_FILE, TFLITE_FILE

    preset = preset_named(name)
    folder = preset.folder if out is None else out
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as temporary:
        new = Path(temporary) / name
        new.mkdir()
        shutil.copyfile(run / KERAS_FILE, new / KERAS_FILE)
        if (run / TFLITE_FILE).is_file():
            shutil.copyfile(run / TFLITE_FILE, new / TFLITE_FILE)
        files = files_of(new, [file.name for file in new.iterdir()])
        figures = [figures_of(evaluation) for evaluation in evaluations]
        _check_same(figures, files)
        card = {
            "format": CARD_FORMAT,
            "name": name,
            "description": preset.description,
            **notes,
            "training": {"command": preset.command, **_of_run(run), **notes.get("training", {})},
            "figures": figures,
            "files": files,
        }
        card["trained_on"] = {
            **sizes_of_training(card["training"].get("config", {})),
            "subject": preset.subject,
            "subject_px": preset.subject_px,
        }
        check_card(card)
        if TFLITE_FILE not in files:
            export_tflite(
                new / KERAS_FILE, new / TFLITE_FILE, sizes=None, name=name, quantize="float16"
            )
            card["files"] = files_of(new, (KERAS_FILE, TFLITE_FILE))
        text = json.dumps(card, indent=1, sort_keys=True, allow_nan=False)
        (new / CARD_FILE).write_text(text + "\n", "utf-8")
        folder.mkdir(exist_ok=True)
        for file in new.iterdir():
            file.replace(folder / file.name)
    return folder


def _check_same(figures: list[dict[str, Any]], files: dict[str, dict[str, Any]]) -> None:
    known = {about["sha256"] for about in files.values()}
    for entry in figures:
        if entry["model"]["sha256"] not in known:
            raise ValueError(
                f"the evaluation on {entry['data']} with {entry['masks']} is of another network: "
                f"{entry['model']['file']} {entry['model']['sha256']}"
            )


def _of_run(run: Path) -> dict[str, Any]:
    """Return the run's configuration, and its held-out PSNR by step."""
    from keras_inpaint.files import read_json_object
    from keras_inpaint.presets import PRESETS

    content = read_json_object(run / "config.json")
    curve = []
    metrics = run / "metrics.csv"
    if metrics.is_file():
        with metrics.open(newline="", encoding="utf-8") as stream:
            curve = [
                [int(row["phase"]), int(row["step"]), float(row["held_out_psnr"])]
                for row in csv.DictReader(stream)
                if row.get("held_out_psnr")
            ]
    kept = {key: content[key] for key in ("config", "precision", "versions") if key in content}
    data = {k: v for k, v in content.get("data", {}).items() if k not in ("source", "skipped")}
    if "config" in kept:  # paths on the training machine are private
        private = {"data", "data_dir"}
        if kept["config"].get("init") not in (None, *PRESETS):
            private.add("init")
        kept["config"] = {k: v for k, v in kept["config"].items() if k not in private}
    return {**kept, "photos": data, "held_out_psnr": curve}


if __name__ == "__main__":
    command()
