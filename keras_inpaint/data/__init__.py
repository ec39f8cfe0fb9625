"""What goes in: photos, holes and the tf.data pipeline that joins them."""
