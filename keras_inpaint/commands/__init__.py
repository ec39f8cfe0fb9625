"""The command line: one small file per command, imported only when the command is run."""

import importlib
import logging
import os
import sys

import click

import keras_inpaint

_COMMANDS = {
    "train": "Train GLCIC in three phases on a folder, a TFDS data set or the sample.",
    "complete": "Fill the holes of a photo, or of a folder of photos.",
    "batch": "Complete any number of photos on Apache Beam.",
    "evaluate": "Evaluate completion networks and classical baselines on photos.",
    "interpolate": "Interpolate between the networks of phases 1 and 3 of a run.",
    "export": "Export a completion network to SavedModel, TFLite or ONNX.",
    "convert": "Convert the weights of another GLCIC project, a .pth or .t7 file, to Keras.",
    "serve": "Complete photos over HTTP, and on a page.",
    "ui": "Open a page to paint and fill holes.",
}


class _LazyGroup(click.Group):
    """A group that imports a command only when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return importlib.import_module(f"{__name__}.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
    epilog="Example: keras-inpaint complete photo.jpg --mask mask.png -o out.jpg",
)
@click.version_option(keras_inpaint.__version__, package_name="keras-inpaint")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of a failure.")
def cli() -> None:
    """Complete the holes of photos with GLCIC networks: train, use, evaluate, export, serve."""


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit: 0 success, 1 failure, 2 wrong usage, 130 interrupted."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("keras_inpaint").setLevel(logging.INFO)
    arguments = sys.argv[1:] if args is None else args
    try:
        code = cli.main(args=arguments, prog_name="keras-inpaint", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except Exception as error:
        if "--debug" in arguments:
            raise
        click.echo(f"Error: {failure(error)}", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def failure(error: Exception) -> str:
    """Return an error in one line, with a hint at `--debug` if its kind is unexpected."""
    if isinstance(error, ModuleNotFoundError):
        return _missing_module(error)
    if isinstance(error, OSError | ValueError | RuntimeError | MemoryError):
        return describe(error)
    first = describe(error).strip().partition("\n")[0]
    return (
        f"{type(error).__name__}: {first} (run again with --debug before the command's name for "
        "the traceback)"
    )


def _missing_module(error: ModuleNotFoundError) -> str:
    """Return the missing module, with the setting of Keras that requires it."""
    module = (error.name or "").partition(".")[0]
    if module in ("jax", "torch", "openvino"):
        where = "KERAS_BACKEND" if os.environ.get("KERAS_BACKEND") else "keras.json"
        return (
            f"{where} selects the Keras backend {module}, which is not installed: set "
            "KERAS_BACKEND=tensorflow"
        )
    return f"{error.name or error} is not installed ({error})"


def describe(error: BaseException) -> str:
    """Return an error's message, with the file name if the operating system reports one."""
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    return str(error) or type(error).__name__
