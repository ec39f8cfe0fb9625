"""Lossless decoding and encoding of photo and mask files; independent of the networks."""
