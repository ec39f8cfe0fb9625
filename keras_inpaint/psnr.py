"""The peak signal-to-noise ratio, as training, exporting and evaluation tell it."""

import math

#: What an error of next to nothing counts as, in dB.
PSNR_LIMIT = 100.0


def psnr(mse: float, limit: float = PSNR_LIMIT) -> float:
    """Return the peak signal-to-noise ratio in dB of a mean square error over values in [0, 1].

    Args:
        mse: Float, 0 or above.
        limit: Float, the largest value.
    """
    return min(limit, -10 * math.log10(mse)) if mse > 0 else limit
