"""What one output pixel of a completion network sees of its input, without TensorFlow.

A chain of convolutions maps an interval of output pixels to the interval of input pixels that
it depends on; the same for rows and columns.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: Heights and widths that the network takes are multiples of this.
SIZE_MULTIPLE = 4

#: One output pixel of the paper's network sees at most this many input pixels before it, and
#: after it: 303 or 304 in all.
REACH_BEFORE, REACH_AFTER = 150, 153


@dataclass(frozen=True)
class ReceptiveField:
    """How far a network sees along one axis, in pixels.

    Attributes:
        before: Int, the most input pixels before an output pixel that it depends on.
        after: Int, the same after it.
        halo: Int, a multiple of 4. A crop that starts and ends at multiples of 4 gives inside,
            this far from each of its cut edges, exactly what the whole picture gives.
    """

    before: int = REACH_BEFORE
    after: int = REACH_AFTER
    halo: int = 152

    @property
    def width(self) -> int:
        """How many pixels wide a hole is that hides everything known from a pixel inside."""
        return min(2 * self.before, 2 * self.after) + 3

    @classmethod
    def of_pixels(cls, before: int, after: int) -> "ReceptiveField":
        """Return the reach where only the two distances are known, as exported files tell them.

        The halo is then at most 4 pixels larger than it has to be.

        Raises:
            ValueError: If one is negative.
        """
        if before < 0 or after < 0:
            raise ValueError(f"a reach is not negative, got before={before}, after={after}")
        return cls(before, after, round_up(max(before, after)))

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> "ReceptiveField":
        """Return the reach that an exported network's card or metadata tells; else the paper's.

        Args:
            card: Mapping that may hold `reach`, with `before` and `after` in pixels.
        """
        reach = card.get("reach")
        return cls.of_pixels(int(reach["before"]), int(reach["after"])) if reach else cls()


@dataclass(frozen=True)
class Convolution:
    """One convolution with `same` padding, as far as it matters for the reach."""

    kernel: int
    strides: int = 1
    dilation: int = 1
    transposed: bool = False

    def inputs(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that the outputs `first` to `last` depend on."""
        padding = max(self.dilation * (self.kernel - 1) + 1 - self.strides, 0) // 2
        if self.transposed:
            # Output i gets what input o writes to strides * o - padding ... + kernel - 1.
            return (
                -((self.kernel - 1 - first - padding) // self.strides),
                (last + padding) // self.strides,
            )
        start = self.strides * first - padding
        return start, self.strides * last - padding + self.dilation * (self.kernel - 1)


def receptive_field_of(convolutions: Iterable[Convolution]) -> ReceptiveField:
    """Return how far a chain of convolutions sees.

    Args:
        convolutions: In order from input to output; their strides take the picture down by
            4 and back up, as the completion network's do.

    Returns:
        A `ReceptiveField`.
    """
    chain = list(convolutions)[::-1]

    def seen(first: int, last: int) -> tuple[int, int]:
        for convolution in chain:
            first, last = convolution.inputs(first, last)
        return first, last

    spans = [(pixel, *seen(pixel, pixel)) for pixel in range(SIZE_MULTIPLE)]
    start, end = seen(0, SIZE_MULTIPLE - 1)
    return ReceptiveField(
        before=max(pixel - first for pixel, first, _ in spans),
        after=max(last - pixel for pixel, _, last in spans),
        halo=round_up(max(-start, end - (SIZE_MULTIPLE - 1))),
    )


def network_receptive_field(network: Any) -> ReceptiveField:
    """Return how far a completion network sees, read off its layers.

    Args:
        network: A functional `keras.Model` whose layers form one chain.

    Returns:
        A `ReceptiveField`.

    Raises:
        ValueError: If the network holds a layer that is no convolution and does not work pixel
            by pixel, so that its reach cannot be told.
    """
    convolutions = []
    for layer in network.layers:
        kind = _kind(layer)
        if kind is None:
            raise ValueError(
                f"cannot tell how far layer {layer.name!r} ({type(layer).__name__}) sees"
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
    if "SubPixelConv2D" in names:  # it belongs to a copy: the network itself can be asked
        return None
    if "Conv2DTranspose" in names:
        return "transposed"
    if "Conv2D" in names and layer.padding == "same":
        return "convolution"
    return "pointwise" if _POINTWISE.intersection(names) else None


def round_up(length: int, multiple: int = SIZE_MULTIPLE) -> int:
    """Return the smallest multiple of `multiple` that is at least `length`."""
    return -(-length // multiple) * multiple
