"""Rebuild the built-in data set from a folder of aligned portraits and its table.

    python -m keras_inpaint.data.sample.make FOLDER/train FOLDER/faces.csv

It uses the portraits of one repository, which are in the public domain. The people who were held
out from the training of the bundled `faces` weights form the part `test`; of the others, the first
`COUNT` portraits by SHA-256 form the part `train`.
"""

import argparse
import csv
import io
import zipfile
from pathlib import Path

from PIL import Image

from keras_inpaint.data.files import split_names
from keras_inpaint.data.sample import ARCHIVE, SIZE, SOURCES

REPOSITORY = "Hainish/congress-images-225x275"
COUNT = 400
#: The split of the folder's people in the training of the bundled weights.
HELD_OUT, SEED = 0.04, 0
QUALITY = 88


def main() -> None:
    """Read the folder and the table; write the archive and the sources."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("table", type=Path)
    arguments = parser.parse_args()
    with arguments.table.open(newline="", encoding="utf-8") as file:
        rows = {row["filename"]: row for row in csv.DictReader(file)}
    files = sorted(path.name for path in arguments.folder.iterdir() if path.name in rows)
    unseen = {files[number] for number in split_names(files, HELD_OUT, SEED)[1]}
    ours = [name for name in files if rows[name]["source_repo"] == REPOSITORY]
    ours.sort(key=lambda name: rows[name]["sha256"])
    parts = {
        "train": [name for name in ours if name not in unseen][:COUNT],
        "test": [name for name in ours if name in unseen],
    }
    with (
        zipfile.ZipFile(ARCHIVE, "w", zipfile.ZIP_STORED) as archive,
        SOURCES.open("w", newline="", encoding="utf-8") as table,
    ):
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["part", "name", "source", "terms", "sha256_of_source"])
        for part, chosen in parts.items():
            for name in chosen:
                with Image.open(arguments.folder / name) as image:
                    small = image.convert("RGB").resize(SIZE[::-1], Image.Resampling.LANCZOS)
                data = io.BytesIO()
                small.save(data, "JPEG", quality=QUALITY, optimize=True)
                # A fixed date makes the archive reproducible.
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data.getvalue())
                row = rows[name]
                writer.writerow([part, name, row["source_repo"], row["licence"], row["sha256"]])


if __name__ == "__main__":
    main()
