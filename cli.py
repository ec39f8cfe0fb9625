"""Front door of a checkout: ``python cli.py COMMAND`` is ``keras-inpaint COMMAND``."""

from keras_inpaint.commands import main

if __name__ == "__main__":
    main()
