"""Convert another project's weights to a completion network of stock Keras layers."""

import hashlib
import math
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_inpaint
from keras_inpaint.fetching import Progress
from keras_inpaint.files import read_json_object
from keras_inpaint.networks.completion import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM
from keras_inpaint.networks.converters.projects import (
    CONVOLUTIONS,
    LAST,
    PROJECTS,
    Network,
    glcic_pytorch,
    mmagic,
    recognised,
    torch7,
)
from keras_inpaint.networks.converters.published import PUBLISHED, fetch_published
from keras_inpaint.networks.converters.torch_files import read_pytorch, read_torch7
from keras_inpaint.networks.layers import CHANNELS_LAST, MeanPixelFill, with_stock_layers

_PAPER = (
    'S. Iizuka, E. Simo-Serra, H. Ishikawa, "Globally and Locally Consistent Image Completion", '
    "ACM Trans. Graph. 36(4), 107 (2017), https://doi.org/10.1145/3072959.3073659"
)


def convert_weights(
    file: str | os.PathLike[str],
    source: str = "auto",
    *,
    config: str | os.PathLike[str] | None = None,
    accept_licence: bool = False,
    progress: Progress | None = None,
) -> tuple[keras.Model, dict[str, Any]]:
    """Convert the completion network of another project.

    Neither PyTorch nor Torch7 is needed, and no code in the file is executed.

    Example:

    >>> network, card = convert_weights("cn.pth", config="config.json")
    >>> completed = keras_inpaint.Inpainter(network)(photo, hole)

    Args:
        file: Path of the project's weights file; or the name of published weights, such as
            `"mmagic:celeba"` (`converters.published.PUBLISHED`), which are downloaded once.
        source: `"glcic-pytorch"`, `"mmagic"`, `"torch7"`, or `"auto"`, which detects the project
            from the file's content.
        config: Path of GLCIC-PyTorch's `config.json`, which has the pixel that fills its holes;
            not used by the other projects.
        accept_licence: Bool, whether the licence of published weights is accepted; none of them
            permits every use.
        progress: Called during the download with the number of bytes received and the total.

    Returns:
        A tuple of the network and its card. The network is a functional `keras.Model` of stock
        layers, from a dict of `image`, float32 `(batch, height, width, 3)` in [0, 1], and `mask`,
        float32 `(batch, height, width, 1)`, 1 in the hole, to float32
        `(batch, height, width, 3)`, in [0, 1] unless a Torch7 network has no final sigmoid. The
        card is a dict with the project, the file's name and SHA-256, and the licence.

    Raises:
        ValueError: If the file cannot be read, or a layer is missing, unknown or of another
            shape; the message names the file and the layer.
        PermissionError: If weights would be downloaded and their licence is not accepted.
        OSError: If a file cannot be opened or downloaded.
    """
    if isinstance(file, str) and file in PUBLISHED:
        published = PUBLISHED[file]
        if not accept_licence:
            raise PermissionError(
                f"{file}: the licence of these weights is {published.licence}; it must be "
                "accepted to download them (accept_licence=True)"
            )
        weights, config = fetch_published(file, progress)
        network, card = convert_weights(weights, published.project, config=config)
        card["source"]["address"] = published.url
        card["description"] += f" Trained on {published.trained_on}."
        return network, card
    if source != "auto" and source not in PROJECTS:
        raise ValueError(f"source must be auto or one of {', '.join(PROJECTS)}, got {source!r}")
    path = Path(file)
    content = _read(path, source)
    try:
        project = recognised(content)
        if source not in ("auto", project):
            raise ValueError(f"these are weights of {project}, not of {source}")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if project == "glcic-pytorch" and config is None:
        raise ValueError(
            f"{path}: GLCIC-PyTorch stores the pixel that fills the holes in its training's "
            "config.json, next to the weights: name that file (--config)"
        )
    if project != "glcic-pytorch" and config is not None:
        raise ValueError(f"{config}: weights of {project} need no config")
    fill = _mean_pixel(Path(config)) if config is not None else None
    try:
        if project == "glcic-pytorch":
            read = glcic_pytorch(content, fill)
        else:
            read = {"mmagic": mmagic, "torch7": torch7}[project](content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return _build(read), _card(path, project)


def _read(path: Path, source: str) -> Any:
    if source == "auto":
        with open(path, "rb") as file:
            first = file.read(4)
        if first[:2] == b"PK" or first[:1] == b"\x80":  # a zip archive, or a pickle
            return read_pytorch(path)
        if first not in (b"\x03\0\0\0", b"\x04\0\0\0"):  # a Torch7 table or object
            raise ValueError(f"{path} is neither a PyTorch file nor a Torch7 file")
    return read_torch7(path) if source in ("auto", "torch7") else read_pytorch(path)


def _mean_pixel(path: Path) -> tuple[float, float, float]:
    pixel = read_json_object(path).get("mpv")
    if not (
        isinstance(pixel, list)
        and len(pixel) == 3
        and all(type(v) in (int, float) and math.isfinite(v) and 0 <= v <= 1 for v in pixel)
    ):
        raise ValueError(f"{path}: mpv must be three numbers in [0, 1], got {pixel!r}")
    return float(pixel[0]), float(pixel[1]), float(pixel[2])


def _card(path: Path, source: str) -> dict[str, Any]:
    project = PROJECTS[source]
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "description": f"GLCIC completion network of {project.title}, converted to Keras.",
        "licence": project.licence,
        "source": {
            "project": project.title,
            "url": project.url,
            "file": path.name,
            "bytes": path.stat().st_size,
            "sha256": digest,
            "paper": _PAPER,
        },
        "converted_by": f"keras-inpaint {keras_inpaint.__version__}",
    }


def _build(read: Network) -> keras.Model:
    """Build a network of stock layers that computes what the project's network does.

    Differences to stock layers are absorbed into the weights: PyTorch pads a strided 3x3
    convolution by one on every side, which is Keras' "same" for a 4x4 kernel whose last row and
    column are zero; for BGR, the channels of the first and last kernel are reordered; and
    clip(x, -1, 1) / 2 + 0.5 is the hard sigmoid of 3 x.
    """
    form = read.form
    image = keras.Input((None, None, 3), name="image")
    mask = keras.Input((None, None, 1), name="mask")
    x = MeanPixelFill(form.fill, dtype="float32", name="mean_pixel_fill")(image, mask)
    scaled = form.scale != 1 or any(form.shift)
    if scaled:
        x = keras.layers.BatchNormalization(
            epsilon=BATCH_NORM_EPSILON, trainable=False, dtype="float32", name="input_scale"
        )(x)
    for number, (kernel, stride, dilation, transposed) in enumerate(CONVOLUTIONS, start=1):
        weight = read.blocks[number - 1].weight
        name = f"conv_{number}"
        if transposed:
            layer = keras.layers.Conv2DTranspose(
                weight.shape[1], kernel, stride, "same", name=name, **CHANNELS_LAST
            )
        else:
            layer = keras.layers.Conv2D(
                weight.shape[0],
                4 if stride > 1 else kernel,
                stride,
                "same",
                dilation_rate=dilation,
                name=name,
                **CHANNELS_LAST,
            )
        x = layer(x)
        for step in form.order if number < LAST else ():
            if step == "relu":
                x = keras.layers.ReLU(name=f"relu_{number}")(x)
            else:
                x = keras.layers.BatchNormalization(
                    momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=f"norm_{number}"
                )(x)
    activation = "hard_sigmoid" if form.output == "clip" else form.output
    x = keras.layers.Activation(activation, dtype="float32", name="generated")(x)
    network = keras.Model({"image": image, "mask": mask}, x, name="completion_network")
    if scaled:
        scale = np.array([form.scale] * 3 + [1.0])
        offset = -np.array([*form.shift, 0.0]) * scale
        variance = np.full(4, 1 - BATCH_NORM_EPSILON)
        network.get_layer("input_scale").set_weights([scale, offset, np.zeros(4), variance])
    for number, block in enumerate(read.blocks, start=1):
        network.get_layer(f"conv_{number}").set_weights(_convolution(read, number))
        if block.norm is not None:
            norm = block.norm
            variance = norm["variance"].astype("float64") + (form.epsilon - BATCH_NORM_EPSILON)
            network.get_layer(f"norm_{number}").set_weights(
                [norm["gamma"], norm["beta"], norm["mean"], np.maximum(variance, 0)]
            )
    return with_stock_layers(network)


def _convolution(read: Network, number: int) -> list[np.ndarray]:
    """Return a convolution's kernel and bias in Keras' layout."""
    block, form = read.blocks[number - 1], read.form
    # (out, in, h, w) to (h, w, in, out); transposed ones (in, out, h, w) to (h, w, out, in).
    kernel, bias = np.transpose(block.weight, (2, 3, 1, 0)), block.bias
    _, stride, _, transposed = CONVOLUTIONS[number - 1]
    if stride > 1 and not transposed:
        kernel = np.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))
    if number == 1 and form.bgr:
        kernel = kernel[:, :, [2, 1, 0, 3]]
    if number == LAST and form.bgr:
        kernel, bias = kernel[..., ::-1], bias[::-1]
    if number == LAST and form.output == "clip":
        kernel, bias = 3 * kernel, 3 * bias
    return [kernel, bias]
