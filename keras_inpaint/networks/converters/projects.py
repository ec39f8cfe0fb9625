"""The projects whose completion networks can be converted: names and settings of their layers.

Sources: GLCIC-PyTorch, https://github.com/otenim/GLCIC-PyTorch at 3f9de13; mmagic's Global&Local,
https://github.com/open-mmlab/mmagic at 0a560bb; the authors' Torch7 network,
https://github.com/satoshiiizuka/siggraph2017_inpainting at 15c5519.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from keras_inpaint.networks.converters.torch_files import TorchObject

#: Kernel size, stride, dilation rate and whether transposed, for each of the paper's 17
#: convolutions (table 1). The numbers of channels are taken from the weights.
CONVOLUTIONS = (
    (5, 1, 1, False),
    (3, 2, 1, False),
    (3, 1, 1, False),
    (3, 2, 1, False),
    (3, 1, 1, False),
    (3, 1, 1, False),
    (3, 1, 2, False),
    (3, 1, 4, False),
    (3, 1, 8, False),
    (3, 1, 16, False),
    (3, 1, 1, False),
    (3, 1, 1, False),
    (4, 2, 1, True),
    (3, 1, 1, False),
    (4, 2, 1, True),
    (3, 1, 1, False),
    (3, 1, 1, False),
)
LAST = len(CONVOLUTIONS)


@dataclass(frozen=True)
class Project:
    """A project's entry in the card of its converted weights.

    Attributes:
        title: String, the project's name.
        url: String, the project's address.
        licence: String, the weights' licence, as far as the project states one.
    """

    title: str
    url: str
    licence: str


PROJECTS = {
    "glcic-pytorch": Project(
        "GLCIC-PyTorch",
        "https://github.com/otenim/GLCIC-PyTorch",
        "not stated by the project for its weights (its code: MIT)",
    ),
    "mmagic": Project(
        "mmagic, Global&Local",
        "https://github.com/open-mmlab/mmagic",
        "not stated by the project for its weights (its code: Apache-2.0)",
    ),
    "torch7": Project(
        "the paper's authors, Torch7",
        "https://github.com/satoshiiizuka/siggraph2017_inpainting",
        "CC BY-NC-SA 4.0 (attribution, non-commercial, share alike), which also applies to the "
        "converted weights",
    ),
}


@dataclass
class Block:
    """A convolution and its batch normalisation, with axes in PyTorch's order.

    Attributes:
        label: String, the convolution's name in its file.
        weight: Float array `(out, in, height, width)`; `(in, out, height, width)` if transposed.
        bias: Float array `(out,)`.
        norm: Dict of `gamma`, `beta`, `mean` and `variance`, each `(out,)`; None if there is no
            normalisation.
    """

    label: str
    weight: np.ndarray
    bias: np.ndarray
    norm: dict[str, np.ndarray] | None = None


@dataclass(frozen=True)
class Form:
    """The settings of a project's network.

    Attributes:
        order: Tuple of `"norm"` and `"relu"`, the operations after a convolution, in order.
        fill: Three floats in [0, 1], red, green, blue, the pixel that fills the hole.
        shift: Three floats, subtracted from each pixel of the filled image.
        scale: Float, multiplied with the difference.
        bgr: Bool, whether the channels are in the order blue, green, red.
        output: `"sigmoid"`, `"clip"` (to [-1, 1], then mapped to [0, 1]) or `"linear"`.
        epsilon: Float, the epsilon of batch normalisation.
    """

    order: tuple[str, ...]
    fill: tuple[float, float, float]
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0
    bgr: bool = False
    output: str = "sigmoid"
    epsilon: float = 1e-5


@dataclass
class Network:
    """A project's completion network: its settings and its 17 blocks."""

    form: Form
    blocks: list[Block] = field(default_factory=list)


def recognised(content: Any) -> str:
    """Return the key in `PROJECTS` of the project that a file's content belongs to.

    Raises:
        ValueError: If the content is not from one of these projects.
    """
    if isinstance(content, TorchObject) or (
        isinstance(content, dict) and isinstance(content.get("model"), TorchObject)
    ):
        return "torch7"
    if isinstance(content, dict):
        names = state_of(content)
        if any(".encoder.enc" in f".{name}" for name in names):
            return "mmagic"
        if "conv1.weight" in names or "deconv13.weight" in names:
            return "glcic-pytorch"
        some = ", ".join(list(names)[:3])
        raise ValueError(f"its completion network is unknown; its first entries are: {some}")
    raise ValueError(f"expected weights by name, got a {type(content).__name__}")


def state_of(content: Any) -> dict[str, np.ndarray]:
    """Return the arrays of a PyTorch file by name, without the prefixes that wrappers add."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise ValueError(f"expected weights by name, got a {type(content).__name__}")
    return {
        name.removeprefix("module."): value
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, np.ndarray)
    }


def glcic_pytorch(content: Any, fill: tuple[float, float, float]) -> Network:
    """Return the network of GLCIC-PyTorch's generator.

    Args:
        content: The content of its file, from `read_pytorch`.
        fill: Three floats in [0, 1], `mpv` of its `config.json`.

    Raises:
        ValueError: If a layer is missing, of another shape, or unknown.
    """
    names = {
        number: (f"{'deconv' if transposed else 'conv'}{number}", f"bn{number}")
        for number, (*_, transposed) in enumerate(CONVOLUTIONS, start=1)
    }
    blocks = _blocks(state_of(content), names, normed=True, bias_optional=False)
    return Network(Form(("relu", "norm"), fill), blocks)


def mmagic(content: Any) -> Network:
    """Return the network of mmagic's Global&Local, with or without batch normalisation.

    Args:
        content: The content of its file, from `read_pytorch`; it includes the discriminators.

    Raises:
        ValueError: If a layer is missing, of another shape, or unknown.
    """
    state = state_of(content)
    if any(name.startswith("generator.") for name in state):
        state = {
            name.removeprefix("generator."): value
            for name, value in state.items()
            if name.startswith("generator.")
        }
    labels = [f"encoder.enc{i}" for i in range(1, 7)]
    labels += [f"dilation_neck.dilation_convs.{i}" for i in range(4)]
    labels += [f"decoder.dec{i}" for i in range(1, 8)]
    names = {i: (f"{label}.conv", f"{label}.bn") for i, label in enumerate(labels, start=1)}
    normed = any(name.endswith(".bn.weight") for name in state)
    blocks = _blocks(state, names, normed=normed, bias_optional=normed)
    grey = (0.5, 0.5, 0.5)
    form = Form(
        ("norm", "relu") if normed else ("relu",), grey, grey, scale=2.0, bgr=True, output="clip"
    )
    return Network(form, blocks)


_NORM_PARTS = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "mean",
    "running_var": "variance",
}


def _blocks(
    state: dict[str, np.ndarray],
    names: Mapping[int, tuple[str, str]],
    *,
    normed: bool,
    bias_optional: bool,
) -> list[Block]:
    remaining = {
        name: value for name, value in state.items() if not name.endswith("batches_tracked")
    }

    def take(name: str) -> np.ndarray:
        if name not in remaining:
            raise ValueError(f"{name} is missing")
        return remaining.pop(name)

    blocks = []
    for number, (convolution, norm) in names.items():
        transposed = CONVOLUTIONS[number - 1][3]
        weight = take(f"{convolution}.weight")
        if bias_optional and number != LAST and f"{convolution}.bias" not in remaining:
            outputs = weight.shape[1 if transposed else 0] if weight.ndim == 4 else 0
            bias = np.zeros(outputs, "float32")
        else:
            bias = take(f"{convolution}.bias")
        parts = None
        if normed and number != LAST:
            parts = {part: take(f"{norm}.{name}") for name, part in _NORM_PARTS.items()}
        blocks.append(Block(convolution, weight, bias, parts))
    if remaining:
        raise ValueError(f"{next(iter(remaining))} is not supported")
    check_blocks(blocks)
    return blocks


def check_blocks(blocks: list[Block]) -> None:
    """Check the shapes of all arrays and that their values are finite.

    Raises:
        ValueError: If an array is wrong; the message names the first one.
    """
    if len(blocks) != LAST:
        raise ValueError(f"it has {len(blocks)} convolutions, expected {LAST}")
    inputs = 4
    for block, (kernel, _, _, transposed) in zip(blocks, CONVOLUTIONS, strict=True):
        shape = block.weight.shape
        outputs = 3 if block is blocks[-1] else shape[1 if transposed else 0] if shape else 0
        expected = (inputs, outputs) if transposed else (outputs, inputs)
        arrays = {"weight": (block.weight, (*expected, kernel, kernel))}
        arrays["bias"] = (block.bias, (outputs,))
        for name, array in (block.norm or {}).items():
            arrays[f"normalisation's {name}"] = (array, (outputs,))
        for name, (array, required) in arrays.items():
            if array.shape != required or outputs == 0:
                raise ValueError(f"{block.label}: {name} has shape {array.shape}, not {required}")
            if array.dtype.kind != "f" or not np.isfinite(array).all():
                raise ValueError(f"{block.label}: {name} has values that are not finite floats")
        if block.norm is not None and (block.norm["variance"] < 0).any():
            raise ValueError(f"{block.label}: normalisation's variance is negative")
        inputs = outputs


def torch7(content: Any) -> Network:
    """Return the network of the authors' file, a table of `model` and `mean`.

    The order of normalisation and activation, the epsilon and the output's activation are taken
    from the modules. Field names from before 2015 (`running_std`) and flat weights
    (`SpatialConvolutionMM`) are supported, too.

    Args:
        content: The content of the file, from `read_torch7`.

    Raises:
        ValueError: If a module is missing, has other settings, or is unknown.
    """
    if not isinstance(content, dict) or not isinstance(content.get("model"), TorchObject):
        raise ValueError("it does not contain a table with a model")
    mean = content.get("mean")
    if not isinstance(mean, np.ndarray) or mean.size != 3 or not np.isfinite(mean).all():
        raise ValueError("it does not contain a mean of three numbers")
    pixel = tuple(float(value) for value in mean.reshape(-1))
    if not all(0 <= value <= 1 for value in pixel):
        raise ValueError(f"its mean is {pixel}, expected numbers in [0, 1]")

    blocks: list[Block] = []
    orders: list[list[str]] = []
    epsilons: set[float] = set()
    output = "linear"
    for place, module in enumerate(_modules(content["model"]), start=1):
        kind = module.kind.rpartition(".")[2]
        label = f"module {place}, {module.kind}"
        if "Convolution" in kind:
            if len(blocks) == LAST:
                raise ValueError(f"{label}: more than {LAST} convolutions")
            blocks.append(_torch7_convolution(module, label, *CONVOLUTIONS[len(blocks)]))
            orders.append([])
        elif not blocks or output != "linear":
            raise ValueError(f"{label} is not supported at this position")
        elif kind == "SpatialBatchNormalization":
            epsilon, blocks[-1].norm = _torch7_norm(module, label)
            epsilons.add(epsilon)
            orders[-1].append("norm")
        elif kind == "ReLU":
            orders[-1].append("relu")
        elif kind == "Sigmoid" and len(blocks) == LAST:
            output = "sigmoid"
        else:
            raise ValueError(f"{label} is not supported")
    check_blocks(blocks)
    order = tuple(orders[0])
    for block, followers in zip(blocks, orders, strict=True):
        expected = () if block is blocks[-1] else order
        if tuple(followers) != expected or sorted(expected) not in ([], ["relu"], ["norm", "relu"]):
            raise ValueError(f"{block.label} is followed by {followers}, expected {list(expected)}")
    if len(epsilons) > 1:
        raise ValueError(f"its normalisations have different epsilons: {sorted(epsilons)}")
    form = Form(order, pixel, pixel, output=output)
    if epsilons:
        form = replace(form, epsilon=epsilons.pop())
    return Network(form, blocks)


def _modules(module: TorchObject, depth: int = 0) -> list[TorchObject]:
    """Return the modules of an `nn.Sequential` in order, with nested ones flattened."""
    if module.kind != "nn.Sequential":
        return [module]
    inner = module.get("modules")
    if not isinstance(inner, dict) or depth > 20:
        raise ValueError("an nn.Sequential has no modules, or is nested too deeply")
    modules = []
    for key in range(1, len(inner) + 1):
        if not isinstance(inner.get(key), TorchObject):
            raise ValueError(f"entry {key} of an nn.Sequential is not a module")
        modules += _modules(inner[key], depth + 1)
    return modules


def _array(module: TorchObject, label: str, name: str) -> np.ndarray:
    value = module.get(name)
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{label}: {name} is missing")
    return value


def _torch7_convolution(
    module: TorchObject, label: str, kernel: int, stride: int, dilation: int, transposed: bool
) -> Block:
    if transposed != ("Full" in module.kind):
        kind = "transposed" if transposed else "plain"
        raise ValueError(f"{label}: expected a {kind} convolution")
    padding = 1 if transposed else dilation * (kernel - 1) // 2
    settings = {"k": kernel, "d": stride, "dilation": dilation, "pad": padding}
    for prefix, expected in settings.items():
        for side in "WH":
            value = module.get(prefix + side)
            if value is None and prefix == "dilation":
                value = 1
            if value is None and prefix == "pad":
                value = module.get("padding") or 0
            if value != expected:
                raise ValueError(f"{label}: {prefix + side} is {value}, expected {expected}")
    if any(module.get(name) for name in ("adjW", "adjH")) or module.get("groups") not in (None, 1):
        raise ValueError(f"{label}: adjW, adjH and groups are not supported")
    planes = [module.get(name) for name in ("nOutputPlane", "nInputPlane")]
    if not all(isinstance(count, int) and count > 0 for count in planes):
        raise ValueError(f"{label}: it has {planes} planes")
    shape = (*(reversed(planes) if transposed else planes), kernel, kernel)
    weight = _array(module, label, "weight")
    if weight.size != np.prod([int(side) for side in shape], dtype=object):
        raise ValueError(f"{label}: weight has shape {weight.shape}, not {shape}")
    return Block(label, weight.reshape(shape), _array(module, label, "bias").reshape(-1))


def _torch7_norm(module: TorchObject, label: str) -> tuple[float, dict[str, np.ndarray]]:
    epsilon = module.get("eps")
    if not isinstance(epsilon, int | float) or not epsilon > 0:
        raise ValueError(f"{label}: eps is {epsilon!r}")
    if module.get("running_var") is None and module.get("running_std") is not None:
        # Until 2015, the field was 1 / sqrt(variance + eps).
        inverse = _array(module, label, "running_std").astype("float64")
        with np.errstate(divide="ignore"):
            variance = np.maximum(inverse**-2 - epsilon, 0)
    else:
        variance = _array(module, label, "running_var")
    parts = {
        "gamma": _array(module, label, "weight"),
        "beta": _array(module, label, "bias"),
        "mean": _array(module, label, "running_mean"),
        "variance": variance,
    }
    return float(epsilon), {name: array.reshape(-1) for name, array in parts.items()}
