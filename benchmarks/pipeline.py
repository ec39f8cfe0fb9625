"""The input pipeline alone: images a second, from memory and decoded as they are seen."""

import argparse
import tempfile
from pathlib import Path

from benchmarks.timing import Case


def cases(arguments: argparse.Namespace) -> list[Case]:
    """Return batches of JPEG files, cached and not, with both kinds of holes."""
    from PIL import Image

    from keras_inpaint.data.pipeline import make_dataset
    from keras_inpaint.data.sample import draw_portraits
    from keras_inpaint.data.sources import load_images

    folder = Path(tempfile.mkdtemp(prefix="keras-inpaint-bench-"))
    for number, pixels in enumerate(draw_portraits(64, (218, 178), 0)):
        Image.fromarray(pixels).save(folder / f"{number:03d}.jpg", quality=90)
    found = []
    for cached in (True, False):
        images = load_images(folder, cache_bytes=None if cached else 0)
        for masks in ("rectangles", "strokes"):
            stream = iter(
                make_dataset(images, size=160, batch_size=16, masks=masks, scale=(1.0, 1.1))
            )

            def run(stream: object = stream) -> None:
                for _ in range(8):
                    next(stream)["image"].numpy()

            where = "from memory" if cached else "from JPEG files"
            found.append(Case(f"128 images at 160 px, {where}, {masks}", run))
    return found
