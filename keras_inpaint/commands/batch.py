"""``keras-inpaint batch``: complete many photos on Apache Beam."""

import argparse
import logging
import time
from typing import Any

import click

from keras_inpaint.commands.choosing_options import completing_options, loader
from keras_inpaint.processors import processors


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="Example: keras-inpaint batch photos/ --mask masks/ --out completed/ --report run1 "
    "--direct_num_workers=2 --direct_running_mode=multi_processing",
)
@click.argument(
    "arguments", metavar="[PATTERN|FOLDER] [BEAM OPTION]...", nargs=-1, type=click.UNPROCESSED
)
@click.option(
    "--mask",
    metavar="FILE|FOLDER|alpha",
    help="The folder of masks, each with the name of its photo; one mask for all photos; or alpha "
    "for the photos' own transparency.",
)
@click.option("-o", "--out", metavar="FOLDER", help="The folder to write to.")
@click.option(
    "--manifest",
    metavar="FILE",
    help="Instead of photos, --mask and --out: a .csv file with the header photo,mask,output, or "
    "a .jsonl file of objects with these keys.",
)
@click.option(
    "--report",
    required=True,
    metavar="NAME",
    help="Write NAME.done.jsonl and NAME.failed.jsonl, with a line for each photo.",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace existing outputs instead of skipping their photos."
)
@completing_options
@click.pass_context
def command(
    ctx: click.Context,
    arguments: tuple[str, ...],
    mask: str | None,
    out: str | None,
    manifest: str | None,
    report: str,
    overwrite: bool,
    model: str,
    mask_polarity: str,
    grow: int,
    resize_mask: bool,
    **network: Any,
) -> None:
    """Complete any number of photos on Apache Beam, on this machine or on a cluster.

    Files may be on any file system that Beam supports: gs://, s3://, hdfs://, local. Options that
    are not listed below are passed to Beam, such as --runner; give them after the photos. The same
    command resumes a run that was stopped.
    """
    photos = arguments[0] if arguments and not arguments[0].startswith("-") else None
    paths = (photos, mask, out)
    if any(paths) if manifest else not all(paths):
        raise click.UsageError("Give photos, --mask and --out, or only --manifest.")
    _hush_beam()
    try:
        from keras_inpaint.batch import beam
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f"batch needs more packages ({error.name}): pip install 'keras-inpaint[beam]'"
        ) from error
    from keras_inpaint.batch.completing import MaskOptions
    from keras_inpaint.batch.report import COMPLETED, FAILED, SKIPPED, UNCHANGED

    try:
        options, threads = _beam_options(arguments[photos is not None :])
        source = beam.FromManifest(manifest) if manifest else beam.FromFolders(*paths)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    start = time.perf_counter()
    counts = beam.complete_batch(
        source,
        loader(model, network, threads),
        report,
        options=MaskOptions(mask_polarity, grow, resize_mask),
        overwrite=overwrite,
        pipeline_options=options,
    )
    summary = ", ".join(f"{counts[s]} {s}" for s in (COMPLETED, UNCHANGED, SKIPPED, FAILED))
    click.echo(
        f"{sum(counts.values())} photos in {time.perf_counter() - start:.1f} s: {summary}; report: "
        f"{report}.done.jsonl, {report}.failed.jsonl"
    )
    ctx.exit(1 if counts[FAILED] else 0)


def _hush_beam() -> None:
    """Log only Beam's errors, not its warnings about missing optional packages."""
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    logging.getLogger().addFilter(
        lambda record: record.levelno >= logging.ERROR or "apache_beam" not in record.pathname
    )


def _beam_options(flags: tuple[str, ...]) -> tuple[Any, int | None]:
    """Return Beam's options, and the processor threads for each of its worker processes."""
    from apache_beam.options.pipeline_options import (
        DirectOptions,
        PipelineOptions,
        StandardOptions,
    )
    from apache_beam.runners.runner import create_runner

    def check(parser: argparse.ArgumentParser) -> None:
        parser.usage, parser.prog = argparse.SUPPRESS, "keras-inpaint batch"
        _, unknown = parser.parse_known_args(flags)
        if unknown:
            raise click.UsageError(f"No such option, here or in Beam: {' '.join(unknown)}")

    flags = ("--default_sdk_harness_log_level=ERROR", *flags)  # a later value overrides it
    options = PipelineOptions(list(flags))
    runner = options.view_as(StandardOptions).runner or "DirectRunner"
    create_runner(runner)  # defines its options
    options.get_all_options(add_extra_args_fn=check)
    direct = options.view_as(DirectOptions)
    if not runner.lower().startswith("direct"):
        return options, 1
    if direct.direct_running_mode != "multi_processing":
        return options, None
    return options, max(1, processors() // (direct.direct_num_workers or processors()))
