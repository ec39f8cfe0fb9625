"""Benchmark the input pipeline alone, with images from memory and decoded on the fly."""

import argparse
import tempfile
from pathlib import Path

from benchmarks.timing import Case


def cases(arguments: argparse.Namespace) -> list[Case]:
    """Return cases for JPEG files, cached and not, with both kinds of holes."""
    from keras_inpaint.data import sample
    from keras_inpaint.data.pipeline import make_dataset
    from keras_inpaint.data.sources import load_images

    folder = Path(tempfile.mkdtemp(prefix="keras-inpaint-bench-"))
    for name, data in zip(sample.names("train"), sample.encoded("train", 64), strict=False):
        (folder / name).write_bytes(data)
    result = []
    for cached in (True, False):
        images = load_images(folder, cache_bytes=None if cached else 0)
        for masks in ("rectangles", "strokes"):
            stream = iter(
                make_dataset(images, size=96, batch_size=16, masks=masks, scale=(1.0, 1.1))
            )

            def run(stream: object = stream) -> None:
                for _ in range(8):
                    next(stream)["image"].numpy()

            where = "from memory" if cached else "from JPEG files"
            result.append(Case(f"128 images at 160 px, {where}, {masks}", run))
    return result
