"""How a completion network leaves: SavedModel, TFLite, parity with Keras."""
