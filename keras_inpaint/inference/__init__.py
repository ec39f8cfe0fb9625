"""Inference on arrays: runtimes, tiles, blending, texture, choice of network and scale."""
