"""``python -m keras_inpaint``."""

from keras_inpaint.commands import main

main()
