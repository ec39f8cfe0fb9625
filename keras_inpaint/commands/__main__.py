"""``python -m keras_inpaint.commands``."""

from keras_inpaint.commands import main

main()
