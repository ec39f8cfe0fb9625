"""Export networks to SavedModel, TFLite and ONNX, and check their parity with Keras."""
