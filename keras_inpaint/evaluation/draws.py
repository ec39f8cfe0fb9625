"""Random integers that are the same on every machine and under every NumPy.

NumPy keeps the raw stream of a bit generator, not what its `Generator` makes of it, the same
from version to version (NEP 19); so the protocol draws from the raw stream of PCG64 itself.
"""

import numpy as np


class Draws:
    """A stream of integers from a key.

    Args:
        *key: Ints, 0 or above: a seed and whatever sets this stream apart from others.

    Raises:
        ValueError: If a part of the key is below 0.
    """

    def __init__(self, *key: int) -> None:
        if any(part < 0 for part in key):
            raise ValueError(f"a seed must be 0 or above, got {min(key)}")
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def below(self, bound: int) -> int:
        """Return an int from 0 to `bound - 1`, each as likely as the other."""
        return (int(self._bits.random_raw()) >> 32) * bound >> 32

    def between(self, low: int, high: int) -> int:
        """Return an int from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def indices(self, count: int, bound: int) -> np.ndarray:
        """Return `count` ints from 0 to `bound - 1`, int64 `(count,)`."""
        raw = self._bits.random_raw(count) >> np.uint64(32)
        return ((raw * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)
