"""Networks: layers, and builder functions that return functional Keras models."""
