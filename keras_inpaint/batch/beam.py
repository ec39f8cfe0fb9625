"""Complete photos on Apache Beam: on one machine or a cluster, on any of Beam's file systems."""

import csv
import glob
import json
import logging
import os
import posixpath
import re
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import PurePosixPath
from typing import Any

import apache_beam as beam
from apache_beam.io.fileio import EmptyMatchTreatment, MatchFiles
from apache_beam.io.filesystem import CompressionTypes, FileMetadata
from apache_beam.io.filesystems import FileSystems
from apache_beam.ml.inference.base import ModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from keras_inpaint.batch.completing import Completer, Completion, MaskOptions, complete_bytes
from keras_inpaint.batch.folders import with_mask
from keras_inpaint.batch.report import (
    COMPLETED,
    FAILED,
    PENDING,
    SKIPPED,
    UNCHANGED,
    FileReport,
    failed,
    reported,
)
from keras_inpaint.files import PREFIX, printable
from keras_inpaint.photos.formats import SUFFIXES, format_by_suffix

logger = logging.getLogger(__name__)

_PHOTO_AT_A_TIME = threading.Lock()


class FromFolders:
    """Finds photos and their masks by name, as `complete_folder` does.

    Local paths are made absolute, since workers may start in another folder.

    Args:
        photos: A Beam file pattern, such as `gs://bucket/photos/**.jpg` (`*` matches within a
            folder, `**` across folders), or a folder, which is searched recursively.
        masks: The folder of masks, one mask file for all photos, or `alpha`.
        output: The folder to write to. Photos keep their paths relative to the part of the
            pattern before its first wildcard, or to the folder.

    Attributes:
        leftovers: Patterns of the temporary files that a killed run may have left behind.

    Raises:
        ValueError: If the output is the folder of photos or of masks.
    """

    def __init__(self, photos: str, masks: str, output: str) -> None:
        photos, masks, output = (_absolute(path) for path in (photos, masks, output))
        if not re.search(r"[*?[]", photos):
            photos = FileSystems.join(photos, "**")
        self.photos, self.root = photos, re.match(r"([^*?[]*/)?", photos)[0]
        self.masks, self.output = masks, output
        self.masks_by_name = masks != "alpha" and format_by_suffix(PurePosixPath(masks)) is None
        self.leftovers = [FileSystems.join(glob.escape(output), f"**{PREFIX}-*.part")]
        for name, other in (("photos", self.root), ("masks", masks)):
            if _same(output, other):
                raise ValueError(f"{printable(output)}: the output is the folder of {name}")

    def find(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Return a pending report for each photo."""
        excluded = (self.output, self.masks) if self.masks_by_name else (self.output,)
        photos = (
            pipeline
            | "Find photos" >> MatchFiles(self.photos, EmptyMatchTreatment.ALLOW)
            | "Name photos" >> beam.FlatMap(_by_stem, self.root, excluded)
        )
        if not self.masks_by_name:
            return photos | beam.Values() | beam.Map(lambda photo: self._file(photo, self.masks))
        pattern = FileSystems.join(glob.escape(self.masks), "**")
        masks = (
            pipeline
            | "Find masks" >> MatchFiles(pattern, EmptyMatchTreatment.ALLOW)
            | "Name masks" >> beam.FlatMap(_by_stem, FileSystems.join(self.masks, ""))
        )
        return (photos, masks) | beam.CoGroupByKey() | beam.FlatMapTuple(self._paired)

    def _paired(
        self, stem: bytes, files: tuple[Iterable[bytes], Iterable[bytes]]
    ) -> Iterator[FileReport]:
        photos, masks = list(files[0]), [os.fsdecode(mask) for mask in sorted(files[1])]
        if not photos:
            logger.warning("%s: no photo has this name", ", ".join(map(printable, masks)))
        for photo in photos:
            expected = FileSystems.join(self.masks, os.fsdecode(stem))
            yield with_mask(self._file(photo), masks, expected)

    def _file(self, photo: bytes, mask: str | None = None) -> FileReport:
        path = os.fsdecode(photo)
        return FileReport(path, FileSystems.join(self.output, path[len(self.root) :]), mask)


class FromManifest:
    """Reads photos, their masks and the files to write from a manifest.

    Args:
        manifest: A UTF-8 file whose name ends in `.csv`, with the header `photo,mask,output`, or
            in `.jsonl`, with an object with these keys per line. Other columns are ignored. Paths
            may be relative to the manifest's folder; the mask may be `alpha`.

    Attributes:
        leftovers: As for `FromFolders`.

    Raises:
        OSError: If it cannot be read.
        ValueError: If a line is invalid, or two lines would write the same file; the message gives
            the line.
    """

    def __init__(self, manifest: str) -> None:
        self.photos, lines = _absolute(manifest), {}
        for line, file in _read_manifest(self.photos):
            if file.output in lines:
                raise ValueError(
                    f"{printable(manifest)}, line {line}: line {lines[file.output]} writes "
                    f"{printable(file.output)}, too"
                )
            lines[file.output] = line
        if not lines:
            raise ValueError(f"{printable(manifest)}: has no photo")
        folders = sorted({FileSystems.split(output)[0] for output in lines})
        self.leftovers = [FileSystems.join(glob.escape(f), f"{PREFIX}-*.part") for f in folders]

    def find(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Return a pending report for each photo."""
        return pipeline | beam.Create([self.photos]) | beam.FlatMap(_read_manifest) | beam.Values()


def _read_manifest(path: str) -> Iterator[tuple[int, FileReport]]:
    """Yield the line number and the pending report of each photo."""
    _, suffix = posixpath.splitext(path)
    if suffix not in (".csv", ".jsonl"):
        raise ValueError(f"{printable(path)}: a manifest must be .csv or .jsonl, got {suffix!r}")
    folder, line = FileSystems.split(path)[0], 0

    def lines(stream: Iterable[bytes]) -> Iterator[str]:
        nonlocal line
        for data in stream:
            line += 1
            yield data.decode("utf-8-sig")

    with FileSystems.open(path) as stream:
        text = lines(stream)
        try:
            objects = map(json.loads, filter(str.strip, text))
            for row in csv.DictReader(text) if suffix == ".csv" else objects:
                row = row if isinstance(row, dict) else {}
                values = [row.get(column) for column in ("photo", "mask", "output")]
                if not all(isinstance(value, str) and value for value in values):
                    raise ValueError(f"expected photo, mask and output, got {row}")
                photo, mask, output = (_absolute(value, folder) for value in values)
                if _same(output, photo) or _same(output, mask):
                    raise ValueError(f"the output {output} is the photo or its mask")
                yield line, FileReport(photo, output, mask)
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{printable(path)}, line {line}: {printable(str(error))}") from error


class PhotoModelHandler(ModelHandler[tuple, tuple[FileReport, bytes], Completer]):
    """Completes photos from bytes to bytes, with one model and one photo at a time per process.

    An example is a photo's report, the bytes of the photo's file and the bytes of the mask's file,
    None for the photo's transparency; a prediction is the final report and the bytes to write. A
    photo whose report is not pending is passed through.

    Args:
        load: Returns the completer; must be picklable.
        options: How masks are read.
    """

    def __init__(self, load: Callable[[], Completer], options: MaskOptions) -> None:
        super().__init__(max_batch_size=1)
        self._load, self._options = load, options

    def load_model(self) -> Completer:
        return self._load()

    def run_inference(
        self, batch: Sequence[tuple], model: Completer, inference_args: Any = None
    ) -> list[tuple[FileReport, bytes]]:
        with _PHOTO_AT_A_TIME:
            return [self._complete(model, *example) for example in batch]

    def _complete(
        self, model: Completer, file: FileReport, photo: bytes, mask: bytes | None
    ) -> tuple[FileReport, bytes]:
        data, names = b"", (file.photo, str(file.mask))

        def complete() -> Completion:
            nonlocal data
            how = {"options": self._options, "names": names}
            data, done = complete_bytes(photo, mask, lambda: model, **how)
            return done

        if file.status == PENDING:
            file = reported(file, complete)
        return file, data


def complete_batch(
    source: FromFolders | FromManifest,
    load: Callable[[], Completer],
    report: str,
    *,
    options: MaskOptions | None = None,
    overwrite: bool = False,
    pipeline_options: PipelineOptions | None = None,
) -> dict[str, int]:
    """Complete photos on a Beam runner; a photo that fails does not stop the others.

    Photos whose output exists are skipped, so that the same call resumes a run that was killed.

    Args:
        source: The photos and masks.
        load: Returns the completer; called once in each worker process, and picklable, e.g.
            `functools.partial(Inpainter, "faces")`.
        report: Prefix of the two JSON Lines files, `REPORT.done.jsonl` and `REPORT.failed.jsonl`,
            which hold a `FileReport` per line.
        options: How masks are read. A photo whose mask has no hole is copied unchanged.
        overwrite: Whether to complete photos again whose output exists.
        pipeline_options: Beam's pipeline options, including the runner.

    Returns:
        The number of photos with each status.

    Raises:
        ValueError: If there are no photos.
        RuntimeError: If the pipeline fails as a whole, e.g. because `load` does.
    """
    files = {name: f"{_absolute(report)}.{name}.jsonl" for name in ("done", "failed")}
    options = replace(options or MaskOptions(), without_hole="keep")
    for pattern in source.leftovers:
        for match in FileSystems.match([pattern]):
            FileSystems.delete([glob.escape(file.path) for file in match.metadata_list])
    with beam.Pipeline(options=pipeline_options) as pipeline:
        reports = (
            source.find(pipeline)
            | "Spread over workers" >> beam.Reshuffle()
            | "Read" >> beam.Map(_read, overwrite)
            | "Complete" >> RunInference(PhotoModelHandler(load, options))
            | "Write" >> beam.MapTuple(_write)
        )
        for name, path in files.items():
            _ = (
                reports
                | f"As JSON: {name}" >> beam.FlatMap(_as_json, failures=name == "failed")
                | f"Report: {name}"
                >> beam.io.WriteToText(path, num_shards=1, shard_name_template="")
            )
    counts: Counter[str] = Counter()
    for path in files.values():
        with FileSystems.open(path) as stream:
            counts.update(json.loads(line)["status"] for line in stream)
    if not counts:
        raise ValueError(f"no photo in {printable(source.photos)}")
    return counts


def _absolute(path: str, folder: str = "") -> str:
    """Return a path below a folder, by default the working directory, unless it is absolute."""
    if path == "alpha" or os.path.isabs(path) or FileSystems.get_scheme(path) is not None:
        return path
    return FileSystems.join(folder or os.getcwd(), path)


def _same(path: str, other: str) -> bool:
    """Return whether two paths are the same, judging by their names only."""
    if FileSystems.get_scheme(path) is None:
        return os.path.realpath(path) == os.path.realpath(other)
    return path.rstrip("/") == other.rstrip("/")


def _by_stem(
    file: FileMetadata, root: str, excluded: Sequence[str] = ()
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the key that matches photo and mask, and the path, if the file is a photo file."""
    relative = PurePosixPath(file.path[len(root) :])
    hidden = any(part.startswith(".") for part in relative.parts)
    inside = any(file.path.startswith(FileSystems.join(folder, "")) for folder in excluded)
    if not hidden and not inside and relative.suffix.lower() in SUFFIXES:
        yield os.fsencode(relative.with_suffix("")), os.fsencode(file.path)


def _as_json(file: FileReport, failures: bool) -> Iterator[str]:
    if (file.status == FAILED) is failures:
        yield json.dumps(asdict(file))


def _read(file: FileReport, overwrite: bool) -> tuple:
    """Return the example of `PhotoModelHandler`; its report is pending if it is to be completed."""
    if file.status == FAILED:
        return file, b"", None
    try:
        if not overwrite and FileSystems.exists(file.output):
            return replace(file, status=SKIPPED), b"", None
        return file, _bytes(file.photo), None if file.mask == "alpha" else _bytes(file.mask)
    except Exception as error:  # file systems raise nearly anything
        return failed(file, error), b"", None


def _bytes(path: str) -> bytes:
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        return stream.read()


def _write(file: FileReport, data: bytes) -> FileReport:
    """Write a completed photo to a temporary file beside its target, then rename it."""
    if file.status not in (COMPLETED, UNCHANGED):
        return file
    folder = FileSystems.split(file.output)[0]
    temporary = FileSystems.join(folder, f"{PREFIX}-{uuid.uuid4().hex}.part")
    try:
        with FileSystems.create(
            temporary, compression_type=CompressionTypes.UNCOMPRESSED
        ) as stream:
            stream.write(data)
        FileSystems.rename([temporary], [file.output])
    except Exception as error:  # as above
        with suppress(Exception):
            FileSystems.delete([glob.escape(temporary)])
        return failed(file, error)
    return file
