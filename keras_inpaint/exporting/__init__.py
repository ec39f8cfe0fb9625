"""Export to SavedModel, TFLite and ONNX, and parity with Keras."""
