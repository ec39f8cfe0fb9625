"""Compare training with the fast layers and with stock Keras: ``python -m benchmarks.agreement``.

Phase 1 of the same network with the same seed and batches: stock layers in float32, fast layers in
float32 and in bfloat16. The final loss is the mean over the last tenth of the steps.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from keras_inpaint.commands.train import set_threads

CASES = {
    "Keras layers, float32": ("float32", True),
    "keras-inpaint, float32": ("float32", False),
    "keras-inpaint, mixed_bfloat16": ("mixed_bfloat16", False),
}


def main() -> None:
    """Train every case with every seed and print the losses."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--seeds", type=int, default=2, help="seeds, to estimate noise")
    parser.add_argument("--data", default="sample:512", help="as for keras-inpaint train")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    import keras_inpaint as ki

    set_threads(None)
    images = ki.load_images(arguments.data, shortest_side=arguments.size)
    losses: dict[str, list[float]] = {label: [] for label in CASES}
    for seed in range(arguments.seeds):
        for label, (policy, stock) in CASES.items():
            losses[label].append(_trained(arguments, images, seed, policy, stock))
            print(f"seed {seed}, {label}: {losses[label][-1]:.6f}", flush=True)
    reference = np.mean(losses["Keras layers, float32"])
    for label, values in losses.items():
        print(f"{label}: {np.mean(values):.6f}, {np.mean(values) / reference - 1:+.2%}")
    if arguments.json:
        arguments.json.write_text(json.dumps(losses, indent=2) + "\n")


def _trained(
    arguments: argparse.Namespace, images: Any, seed: int, policy: str, stock: bool
) -> float:
    import keras

    import keras_inpaint as ki
    from keras_inpaint.networks.layers import with_dtype_policy, with_stock_layers

    keras.utils.set_random_seed(seed)
    network = ki.build_completion_network(arguments.width, images.mean_pixel)
    network = with_dtype_policy(with_stock_layers(network) if stock else network, policy)
    trainer = ki.CompletionTrainer(network)
    trainer.compile()
    dataset = ki.make_dataset(
        images, size=arguments.size, batch_size=arguments.batch, scale=(1, 1), seed=seed
    )
    rows = 10
    history = trainer.fit(
        dataset, steps_per_epoch=max(1, arguments.steps // rows), epochs=rows, verbose=0
    )
    return float(history.history["loss"][-1])


if __name__ == "__main__":
    main()
