"""The three projects' networks in NumPy, written from the paper's table 1, with made weights.

Arrays run (channels, height, width), as in the originals, and every convolution pads by numbers,
so that nothing of Keras' "same" is in here.
"""

import numpy as np
from writing import Module

# filters, kernel, stride, dilation, padding, transposed; an eighth of the paper's filters.
TABLE = [
    (8, 5, 1, 1, 2, False),
    (16, 3, 2, 1, 1, False),
    (16, 3, 1, 1, 1, False),
    (32, 3, 2, 1, 1, False),
    (32, 3, 1, 1, 1, False),
    (32, 3, 1, 1, 1, False),
    (32, 3, 1, 2, 2, False),
    (32, 3, 1, 4, 4, False),
    (32, 3, 1, 8, 8, False),
    (32, 3, 1, 16, 16, False),
    (32, 3, 1, 1, 1, False),
    (32, 3, 1, 1, 1, False),
    (16, 4, 2, 1, 1, True),
    (16, 3, 1, 1, 1, False),
    (8, 4, 2, 1, 1, True),
    (4, 3, 1, 1, 1, False),
    (3, 3, 1, 1, 1, False),
]
EPSILON = 1e-5
MEAN = (0.48, 0.43, 0.39)


def made_weights(normed=True, biased=True, seed=3):
    """Return a list of dicts of arrays whose activations neither die nor grow."""
    rng = np.random.default_rng(seed)
    layers, inputs = [], 4
    for number, (filters, kernel, *_, transposed) in enumerate(TABLE, start=1):
        last = number == len(TABLE)
        shape = (inputs, filters) if transposed else (filters, inputs)
        fan = inputs * kernel**2 / (4 if transposed else 1)
        layer = {"weight": rng.normal(0, (2 / fan) ** 0.5, (*shape, kernel, kernel))}
        if biased or last:
            layer["bias"] = rng.normal(0, 0.1, filters)
        if normed and not last:
            layer["gamma"] = rng.uniform(0.7, 1.3, filters)
            layer["beta"] = rng.normal(0, 0.1, filters)
            layer["mean"] = rng.normal(0, 0.1, filters)
            layer["variance"] = rng.uniform(0.7, 1.3, filters)
        layers.append({name: array.astype("float32") for name, array in layer.items()})
        inputs = filters
    return layers


def convolve(x, weight, stride, dilation, padding):
    kernel = weight.shape[-1]
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    height, width = ((side - dilation * (kernel - 1) - 1) // stride + 1 for side in x.shape[1:])
    out = np.zeros((weight.shape[0], height, width))
    for i in range(kernel):
        for j in range(kernel):
            top, left = i * dilation, j * dilation
            rows = slice(top, top + stride * (height - 1) + 1, stride)
            columns = slice(left, left + stride * (width - 1) + 1, stride)
            out += np.einsum("oi,ihw->ohw", weight[:, :, i, j], x[:, rows, columns])
    return out


def convolve_transposed(x, weight, stride, padding):
    kernel, (height, width) = weight.shape[-1], x.shape[1:]
    shape = [stride * (side - 1) + kernel for side in (height, width)]
    out = np.zeros((weight.shape[1], *shape))
    for i in range(kernel):
        for j in range(kernel):
            part = np.einsum("io,ihw->ohw", weight[:, :, i, j], x)
            out[:, i : i + stride * height : stride, j : j + stride * width : stride] += part
    return out[:, padding : shape[0] - padding, padding : shape[1] - padding]


def run_layers(x, layers, order, epsilon=EPSILON):
    for number, (layer, spec) in enumerate(zip(layers, TABLE, strict=True), start=1):
        _, _, stride, dilation, padding, transposed = spec
        weight = layer["weight"].astype("float64")
        if transposed:
            x = convolve_transposed(x, weight, stride, padding)
        else:
            x = convolve(x, weight, stride, dilation, padding)
        x = x + layer.get("bias", np.zeros(len(x)))[:, None, None]
        for step in order if number < len(TABLE) else ():
            if step == "relu":
                x = np.maximum(x, 0)
            else:
                gamma, beta, mean, variance = (
                    layer[name][:, None, None].astype("float64")
                    for name in ("gamma", "beta", "mean", "variance")
                )
                x = (x - mean) / np.sqrt(variance + epsilon) * gamma + beta
    return x


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def run_glcic_pytorch(layers, image, hole):
    """`image - image * mask + mpv * mask`, the mask behind it, then conv, ReLU, norm."""
    x = image - image * hole + np.array(MEAN) * hole
    x = np.concatenate([x, hole], -1).transpose(2, 0, 1)
    return _sigmoid(run_layers(x, layers, ("relu", "norm"))).transpose(1, 2, 0)


def run_mmagic(layers, image, hole):
    """Blue, green, red from -1 to 1 with 0 in the hole; the output is cut there and scaled back."""
    bgr = (image[..., ::-1] * 255 - 127.5) / 127.5 * (1 - hole)
    x = np.concatenate([bgr, hole], -1).transpose(2, 0, 1)
    order = ("norm", "relu") if "gamma" in layers[0] else ("relu",)
    out = np.clip(run_layers(x, layers, order), -1, 1).transpose(1, 2, 0)
    return ((out * 127.5 + 127.5) / 255)[..., ::-1]


def run_torch7(layers, image, hole, order=("norm", "relu"), epsilon=EPSILON, sigmoid=True):
    """The mean is taken off, the hole is 0; the output stands as it is."""
    x = np.concatenate([(image - np.array(MEAN)) * (1 - hole), hole], -1).transpose(2, 0, 1)
    x = run_layers(x, layers, order, epsilon)
    return (_sigmoid(x) if sigmoid else x).transpose(1, 2, 0)


_NORM = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}


def _named(layers, names):
    state = {}
    for (convolution, norm), layer in zip(names, layers, strict=True):
        for name, array in layer.items():
            key = f"{norm}.{_NORM[name]}" if name in _NORM else f"{convolution}.{name}"
            state[key] = array
        if "gamma" in layer:
            state[f"{norm}.num_batches_tracked"] = np.array(7, "int64")
    return state


def glcic_pytorch_state(layers):
    names = [(f"{'de' if i in (13, 15) else ''}conv{i}", f"bn{i}") for i in range(1, 18)]
    return _named(layers, names)


def mmagic_state(layers):
    labels = [f"generator.encoder.enc{i}" for i in range(1, 7)]
    labels += [f"generator.dilation_neck.dilation_convs.{i}" for i in range(4)]
    labels += [f"generator.decoder.dec{i}" for i in range(1, 8)]
    state = _named(layers, [(f"{label}.conv", f"{label}.bn") for label in labels])
    state["disc.fc.weight"] = np.ones((1, 4), "float32")
    return {"meta": {"epoch": 1}, "state_dict": state}


def torch7_content(layers, order=("norm", "relu"), epsilon=EPSILON, sigmoid=True, old=False):
    """Return what the authors' file holds; `old` takes the names from before 2015."""
    modules = []
    for number, (layer, spec) in enumerate(zip(layers, TABLE, strict=True), start=1):
        _, kernel, stride, dilation, padding, transposed = spec
        weight = layer["weight"]
        planes = weight.shape[:2] if transposed else weight.shape[1::-1]
        fields = {"nInputPlane": planes[0], "nOutputPlane": planes[1]}
        pairs = {"k": kernel, "d": stride, "pad": padding}
        if dilation > 1:
            pairs["dilation"] = dilation
        fields.update({key + side: value for key, value in pairs.items() for side in "WH"})
        kind = "nn.SpatialConvolution"
        if transposed:
            kind, fields = "nn.SpatialFullConvolution", {**fields, "adjW": 0, "adjH": 0}
        elif dilation > 1:
            kind = "nn.SpatialDilatedConvolution"
        elif old:
            kind, weight = "nn.SpatialConvolutionMM", weight.reshape(len(weight), -1)
        modules.append(Module(kind, weight=weight, bias=layer["bias"], **fields))
        for step in order if number < len(TABLE) else ():
            if step == "relu":
                modules.append(Module("nn.ReLU", inplace=True, threshold=0, val=0))
                continue
            names = {"weight": "gamma", "bias": "beta", "running_mean": "mean"}
            arrays = {name: layer[ours] for name, ours in names.items()}
            if old:
                arrays["running_std"] = 1 / np.sqrt(layer["variance"] + np.float32(epsilon))
            else:
                arrays["running_var"] = layer["variance"]
            modules.append(Module("nn.SpatialBatchNormalization", eps=epsilon, **arrays))
    if sigmoid:
        modules.append(Module("nn.Sigmoid"))
    inner = Module("nn.Sequential", modules=dict(enumerate(modules[5:], start=1)))
    outer = Module("nn.Sequential", modules=dict(enumerate([*modules[:5], inner], start=1)))
    return {"model": outer, "mean": np.array(MEAN, "float32")}
