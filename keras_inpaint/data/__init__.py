"""Training data: images, holes and the tf.data pipeline that combines them."""
