"""The peak signal-to-noise ratio, as training, exporting and evaluation report it."""

import math

#: Upper limit in dB, which an error of zero or almost zero is reported as.
PSNR_LIMIT = 100.0


def psnr(mse: float, limit: float = PSNR_LIMIT) -> float:
    """Return the peak signal-to-noise ratio in dB for a mean squared error of values in [0, 1].

    Args:
        mse: Float, at least 0.
        limit: Float, the largest value to return.
    """
    return min(limit, -10 * math.log10(mse)) if mse > 0 else limit
