"""Groups of images, such as all photos of one person, that must stand on one side of a split.

Nothing here imports TensorFlow: who measures the photos that a run held out asks here too.
"""

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath


def group_of(name: str) -> str:
    """Return what stands before `__` in the last part of a name, with its folder."""
    folder, _, last = name.rpartition("/")
    return f"{folder}/{PurePosixPath(last).stem.partition('__')[0]}"


def portable_bytes(name: str) -> bytes:
    """Return a name's bytes in UTF-8, where it was no UTF-8 as it is on the disk."""
    return name.encode("utf-8", "surrogateescape")


def split_names(
    names: Sequence[str], held_out: float, seed: int = 0
) -> tuple[list[int], list[int]]:
    """Split images by group, the same way on every machine.

    Args:
        names: A name an image.
        held_out: Float in [0, 1), the part of the groups to hold out.
        seed: Int.

    Returns:
        The numbers of the images to train on, in order, and of those held out. With `held_out`
        above 0 both have at least one group.

    Raises:
        ValueError: If `held_out` is out of its range, or there is but one group to split.
    """
    if not 0 <= held_out < 1:
        raise ValueError(f"held_out must be at least 0 and below 1, got {held_out!r}")
    if held_out == 0:
        return list(range(len(names))), []
    groups: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        groups.setdefault(group_of(name), []).append(number)
    if len(groups) < 2:
        raise ValueError(
            "all images are of one group: nothing can be held out; hold out 0 to train on them all"
        )
    order = sorted(groups, key=lambda g: hashlib.sha256(portable_bytes(f"{seed}\0{g}")).digest())
    count = min(max(1, round(held_out * len(groups))), len(groups) - 1)
    out = [i for g in order[:count] for i in groups[g]]
    return sorted(i for g in order[count:] for i in groups[g]), out
