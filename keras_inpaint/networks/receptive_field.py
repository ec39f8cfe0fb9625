"""The receptive field of a completion network, computed without TensorFlow.

A chain of convolutions maps an interval of output pixels to the interval of input pixels that
they depend on; rows and columns are alike.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: The network's heights and widths are multiples of this.
SIZE_MULTIPLE = 4

#: The largest number of input pixels before and after an output pixel of the paper's network
#: that the pixel depends on; its receptive field is 303 or 304 pixels wide.
REACH_BEFORE, REACH_AFTER = 150, 153


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of a network along one axis, in pixels.

    Attributes:
        before: Int, the largest number of input pixels before an output pixel that it depends on.
        after: Int, the same after it.
        halo: Int, a multiple of 4. If a crop starts and ends at multiples of 4, its pixels at
            least this far from the cut edges equal those of the whole image.
    """

    before: int = REACH_BEFORE
    after: int = REACH_AFTER
    halo: int = 152

    @property
    def width(self) -> int:
        """The width of the smallest hole that has a pixel without known pixels in its view."""
        return min(2 * self.before, 2 * self.after) + 3

    @classmethod
    def of_pixels(cls, before: int, after: int) -> "ReceptiveField":
        """Return the receptive field for the two distances that exported files state.

        The halo is then at most 4 pixels larger than necessary.

        Raises:
            ValueError: If one is negative.
        """
        if before < 0 or after < 0:
            raise ValueError(f"reach must not be negative, got before={before}, after={after}")
        return cls(before, after, round_up(max(before, after)))

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> "ReceptiveField":
        """Return the receptive field stated by an exported network's card or metadata.

        Args:
            card: Mapping, optionally with `reach`, which has `before` and `after` in pixels;
                without it, the paper's receptive field is returned.
        """
        reach = card.get("reach")
        return cls.of_pixels(int(reach["before"]), int(reach["after"])) if reach else cls()


@dataclass(frozen=True)
class Convolution:
    """The settings of a convolution with `same` padding that the receptive field depends on."""

    kernel: int
    strides: int = 1
    dilation: int = 1
    transposed: bool = False

    def inputs(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input pixel that the outputs `first` to `last` depend on."""
        padding = max(self.dilation * (self.kernel - 1) + 1 - self.strides, 0) // 2
        if self.transposed:
            # Input o contributes to the outputs from strides * o - padding to that + kernel - 1.
            return (
                -((self.kernel - 1 - first - padding) // self.strides),
                (last + padding) // self.strides,
            )
        start = self.strides * first - padding
        return start, self.strides * last - padding + self.dilation * (self.kernel - 1)


def receptive_field_of(convolutions: Iterable[Convolution]) -> ReceptiveField:
    """Return the receptive field of a chain of convolutions.

    Args:
        convolutions: `Convolution`s in order from input to output. Together they downsample by 4
            and upsample by 4, as in the completion network.
    """
    chain = list(convolutions)[::-1]

    def inputs(first: int, last: int) -> tuple[int, int]:
        for convolution in chain:
            first, last = convolution.inputs(first, last)
        return first, last

    spans = [(pixel, *inputs(pixel, pixel)) for pixel in range(SIZE_MULTIPLE)]
    start, end = inputs(0, SIZE_MULTIPLE - 1)
    return ReceptiveField(
        before=max(pixel - first for pixel, first, _ in spans),
        after=max(last - pixel for pixel, _, last in spans),
        halo=round_up(max(-start, end - (SIZE_MULTIPLE - 1))),
    )


def network_receptive_field(network: Any) -> ReceptiveField:
    """Return the receptive field of a completion network, computed from its layers.

    Args:
        network: A functional `keras.Model` whose layers form one chain.

    Raises:
        ValueError: If a layer is neither a convolution nor pointwise, so that its receptive
            field is unknown.
    """
    convolutions = []
    for layer in network.layers:
        kind = _kind(layer)
        if kind is None:
            raise ValueError(
                f"the receptive field of layer {layer.name!r} ({type(layer).__name__}) is unknown"
            )
        if kind == "pointwise":
            continue
        convolutions.append(
            Convolution(
                kernel=max(layer.kernel_size),
                strides=max(layer.strides),
                dilation=max(layer.dilation_rate),
                transposed=kind == "transposed",
            )
        )
    return receptive_field_of(convolutions)


_POINTWISE = {
    "InputLayer",
    "MeanPixelFill",
    "BatchNormalization",
    "ReLU",
    "LeakyReLU",
    "ELU",
    "PReLU",
    "Activation",
    "Dropout",
    "GaussianNoise",
}


def _kind(layer: Any) -> str | None:
    names = [base.__name__ for base in type(layer).__mro__]
    if "SubPixelConv2D" in names:  # only in copies for inference; use the original network
        return None
    if "Conv2DTranspose" in names:
        return "transposed"
    if "Conv2D" in names and layer.padding == "same":
        return "convolution"
    return "pointwise" if _POINTWISE.intersection(names) else None


def round_up(length: int, multiple: int = SIZE_MULTIPLE) -> int:
    """Return the smallest multiple of `multiple` that is at least `length`."""
    return -(-length // multiple) * multiple
