"""Weights of other projects' GLCIC networks, as networks of stock Keras layers."""
