"""What is learned: builder functions that return functional Keras models."""
