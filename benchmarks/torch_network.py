"""The completion network in PyTorch, for comparison."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

#: The layers of Iizuka et al. 2017, table 1, except the last:
#: kernel, stride, dilation, transposed, channels.
LAYERS = [
    (5, 1, 1, False, 64),
    (3, 2, 1, False, 128),
    (3, 1, 1, False, 128),
    (3, 2, 1, False, 256),
    (3, 1, 1, False, 256),
    (3, 1, 1, False, 256),
    (3, 1, 2, False, 256),
    (3, 1, 4, False, 256),
    (3, 1, 8, False, 256),
    (3, 1, 16, False, 256),
    (3, 1, 1, False, 256),
    (3, 1, 1, False, 256),
    (4, 2, 1, True, 128),
    (3, 1, 1, False, 128),
    (4, 2, 1, True, 64),
    (3, 1, 1, False, 32),
]


def build(width: float) -> nn.Sequential:
    """Return the network, from the masked image and the mask, 4 channels, to 3 channels."""
    parts: list[nn.Module] = []
    before = 4
    for kernel, stride, dilation, transposed, channels in LAYERS:
        after = max(4, round(channels * width))
        if transposed:
            parts.append(nn.ConvTranspose2d(before, after, kernel, stride, padding=1))
        else:
            padding = dilation * (kernel // 2)
            parts.append(nn.Conv2d(before, after, kernel, stride, padding, dilation))
        parts += [nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        before = after
    return nn.Sequential(*parts, nn.Conv2d(before, 3, 3, padding=1), nn.Sigmoid())


def training_step(batch: dict[str, np.ndarray], width: float, bfloat16: bool) -> Callable:
    """Return a function that runs one step of phase 1 on a fixed batch."""
    network = build(width).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adadelta(network.parameters())
    image, mask = _tensor(batch["image"]), _tensor(batch["mask"])
    inputs = torch.cat([image * (1 - mask) + 0.5 * mask, mask], 1)
    inputs = inputs.contiguous(memory_format=torch.channels_last)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            generated = network(inputs)
        loss = (torch.square(generated.float() - image) * mask).mean()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def completing(size: int, width: float, bfloat16: bool) -> Callable:
    """Return a function that completes one image."""
    network = build(width).to(memory_format=torch.channels_last).eval()
    inputs = torch.rand(1, 4, size, size).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            return float(network(inputs).float().mean())

    return run


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
