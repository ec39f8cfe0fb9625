"""Make the built-in data set anew from a folder of aligned portraits and its table.

    python -m keras_inpaint.data.sample.make FOLDER/train FOLDER/faces.csv

Of the portraits of one repository, whose files are in the public domain, all people that the
bundled `faces` weights have never seen are the part `test`; of the others `COUNT`, in the order
of their SHA-256, are the part `train`.
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
#: How the bundled weights' training split the people of the folder.
HELD_OUT, SEED = 0.04, 0
QUALITY = 88


def main() -> None:
    """Read the folder and the table, write the archive and the sources."""
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
                # The same bytes whenever it is made.
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data.getvalue())
                row = rows[name]
                writer.writerow([part, name, row["source_repo"], row["licence"], row["sha256"]])


if __name__ == "__main__":
    main()
