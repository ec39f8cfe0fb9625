import io
import struct
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageOps, features

from keras_inpaint.photos.formats import encode_16_bit_png, encode_alpha_bmp
from keras_inpaint.photos.photo import as_shown
from keras_inpaint.photos.raster import Raster

from .photo_files import read_photo, write_photo

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'
FILL = (200, 100, 50)
SUFFIX = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "GIF": ".gif",
}
TURNED = {"JPEG", "PNG", "WEBP", "TIFF"}
CASES = [
    *(("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
    *(("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    *(("PNG", mode) for mode in ("LA;16", "RGB;16", "RGBA;16")),
    *(("PNG", mode) for mode in ("L+key", "RGB+key", "I;16+key", "RGB;16+key")),
    *(("PNG", mode) for mode in ("P+index", "P+alphas")),
    *(("WEBP", mode) for mode in ("RGB", "RGBA")),
    *(("TIFF", mode) for mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK")),
    *(("TIFF", mode) for mode in ("I;16", "I;16B", "RGB;16", "RGBA;16")),
    *(("BMP", mode) for mode in ("1", "L", "P", "RGB", "RGBA")),
    *(("GIF", mode) for mode in ("L", "P", "P+index")),
]
TURNS = [
    (format, mode, orientation)
    for format, mode in CASES
    for orientation in (range(1, 9) if format in TURNED else [1])
]


def stored_pixels(mode, height=21, width=34, seed=0):
    """Noise in a mode; for palettes, indices below 40."""
    rng = np.random.default_rng(seed)
    mode = mode.split("+")[0]
    bands = mode.partition(";")[0]
    shape = (height, width) if len(bands) == 1 else (height, width, len(bands))
    if mode == "1":
        return rng.random(shape) > 0.5
    if "16" in mode:
        return rng.integers(0, 65536, shape).astype(np.uint16)
    return rng.integers(0, 40 if mode in ("P", "PA") else 256, shape).astype(np.uint8)


def exif_bytes(orientation, *, thumbnail=False, group=True):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Artist] = "A. Painter"
    if group:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ISOSpeedRatings] = 400
    data = exif.tobytes()
    if not thumbnail:
        return data
    picture = io.BytesIO()
    Image.new("RGB", (16, 12), (1, 2, 3)).save(picture, "JPEG")
    body = bytearray(data[6:])
    order = "<" if body[:2] == b"II" else ">"
    (count,) = struct.unpack_from(order + "H", body, 8)
    start = len(body) + len(body) % 2
    body += bytes(start - len(body))
    struct.pack_into(order + "I", body, 8 + 2 + 12 * count, start)
    body += struct.pack(order + "H", 2)
    body += struct.pack(order + "HHII", 0x0201, 4, 1, start + 2 + 24 + 4)
    body += struct.pack(order + "HHII", 0x0202, 4, 1, len(picture.getvalue()))
    body += struct.pack(order + "I", 0) + picture.getvalue()
    return b"Exif\0\0" + bytes(body)


def make_file(folder, format, case, orientation=1, seed=0):
    """Write a photo with other tools than the ones under test; return path and pixels."""
    mode, _, kind = case.partition("+")
    pixels = stored_pixels(case, seed=seed)
    path = folder / f"photo{SUFFIX[format]}"
    if mode in ("RGB;16", "RGBA;16", "LA;16"):
        _make_deep(path, format, mode, pixels, orientation, kind)
        return path, pixels
    options = {"exif": exif_bytes(orientation), "icc_profile": SRGB, "dpi": (240, 240)}
    if format == "WEBP":
        options |= {"lossless": True, "exact": True, "xmp": XMP}
    if format == "JPEG":
        options |= {"xmp": XMP, "quality": 90}
        if mode == "CMYK":
            del options["icc_profile"]
    if format == "GIF":
        options = {"optimize": False, "comment": b"hello"}
    if format == "TIFF":
        options["compression"] = "raw"
        if orientation % 2 == 0 and mode != "I;16B":  # Pillow then cannot write EXIF's directory
            options |= {"compression": "tiff_lzw", "exif": exif_bytes(orientation, group=False)}
    if format == "BMP" and mode == "RGBA":
        path.write_bytes(encode_alpha_bmp(pixels, (240, 240)))
        back = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(back, pixels[..., [2, 1, 0, 3]])
        return path, pixels
    if kind == "index":
        options["transparency"] = 7
    elif kind == "alphas":
        options["transparency"] = bytes([0, 0, 128, 128, 128] + [255] * 35)
    elif kind == "key":
        key = pixels[10, 12]
        options["transparency"] = tuple(map(int, key)) if mode == "RGB" else int(key)
        pixels[8:12, 10:14] = key
    data = pixels.astype(">u2") if mode == "I;16B" else pixels
    if mode == "1":
        image = Image.fromarray(data)
    else:
        image = Image.frombytes(mode, data.shape[1::-1], data.tobytes())
    if mode in ("P", "PA"):
        colours = np.random.default_rng(1).integers(0, 256, (40, 3)).astype(np.uint8)
        image.putpalette(colours.tobytes(), "RGB")
    image.save(path, format, **options)
    return path, pixels


def _make_deep(path, format, mode, pixels, orientation, kind):
    if format == "TIFF":
        tifffile.imwrite(
            path,
            pixels,
            photometric="rgb",
            extrasamples=["unassalpha"] if mode == "RGBA;16" else None,
            compression="zlib",
            resolution=(240, 240),
            resolutionunit="INCH",
            iccprofile=SRGB,
            extratags=[(274, "H", 1, orientation, True), (315, "s", 0, "A. Painter", True)],
            metadata=None,
        )
        return
    if mode == "LA;16":
        data = encode_16_bit_png(Raster(pixels, mode))
        back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(back[..., [0, 3]], pixels)
    else:
        bgr = pixels[..., [2, 1, 0, 3][: pixels.shape[-1]]]
        data = cv2.imencode(".png", bgr)[1].tobytes()
    extra = b""
    if kind == "key":
        extra = _chunk(b"tRNS", pixels[10, 12].astype(">u2").tobytes())
    extra += _chunk(b"eXIf", exif_bytes(orientation)[6:])
    extra += _chunk(b"pHYs", struct.pack(">IIB", 9449, 9449, 1)) + _chunk(b"tEXt", b"Title\0Sea")
    path.write_bytes(data[:33] + extra + data[33:])


def _chunk(kind, content):
    crc = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + crc


def shown_pixels(path):
    """Decode a file with other tools than the ones under test, turned as a viewer shows it."""
    with open(path, "rb") as stream, Image.open(stream) as image:
        deep = image.format == "PNG" and path.read_bytes()[24] == 16 and image.mode != "I;16"
        if image.format == "TIFF" and image.mode[:3] == "RGB" and image.tag_v2[258][0] == 16:
            pixels = tifffile.imread(path)
            return as_shown(pixels, image.tag_v2.get(274, 1)), f"{image.mode};16"
        if deep:
            pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            return as_shown(pixels, image.getexif().get(274, 1)), pixels.shape[-1]
        image.load()  # which turns a TIFF
        turned = image if image.format == "TIFF" else ImageOps.exif_transpose(image)
        mode = turned.mode
        return np.array(turned.convert("RGBA") if mode in ("P", "PA") else turned), mode


def hole_in(photo):
    width, height = photo.size
    hole = np.zeros((height, width), bool)
    hole[5:15, 6:16] = True
    hole[0, 0] = hole[-1, -1] = True
    return hole


def flat(photo):
    width, height = photo.size
    return np.full((height, width, 3), FILL, np.uint8)


@pytest.mark.parametrize(("format", "case", "orientation"), TURNS)
def test_every_format_mode_and_orientation(tmp_path, format, case, orientation):
    path, pixels = make_file(tmp_path, format, case, orientation)
    photo = read_photo(path)
    assert (photo.format, photo.raster.mode) == (format, case.split("+")[0])
    assert photo.orientation == orientation
    assert photo.notes == ()
    if format != "JPEG":
        np.testing.assert_array_equal(photo.raster.pixels, pixels)
    hole = hole_in(photo)
    out = tmp_path / f"out{path.suffix}"
    write_photo(photo.completed(flat(photo), hole), out)

    before, mode_before = shown_pixels(path)
    after, mode_after = shown_pixels(out)
    assert mode_after == mode_before
    assert after.shape == before.shape
    assert hole.shape == before.shape[:2]
    if format == "JPEG":
        assert np.abs(after.astype(int) - before)[~hole].mean() < 12
    else:
        np.testing.assert_array_equal(after[~hole], before[~hole])
        # and as they lie in the file
        stored = read_photo(out)
        kept = as_shown(stored.raster.pixels, orientation)[~hole]
        np.testing.assert_array_equal(kept, as_shown(photo.raster.pixels, orientation)[~hole])
    again = read_photo(out)
    assert (again.format, again.raster.mode, again.orientation) == (
        format,
        photo.raster.mode,
        orientation,
    )
    if photo.alpha is not None:
        np.testing.assert_array_equal(again.alpha, photo.alpha)
    solid = hole if photo.alpha is None else hole & (photo.alpha > 0)
    grey = round(0.299 * FILL[0] + 0.587 * FILL[1] + 0.114 * FILL[2])
    inside = again.image[solid].astype(int)
    if photo.raster.mode == "1":
        assert set(np.unique(inside)) == {0, 255}
        assert inside[:, 0].mean() == pytest.approx(grey, abs=10)
    elif photo.raster.mode in ("P", "PA"):
        colours = photo.raster.palette[photo.raster.palette[:, 3] == 255][:, :3].astype(int)
        nearest = ((colours - FILL) ** 2).sum(1).min()
        opaque = (
            solid
            if photo.raster.mode == "PA" or photo.alpha is None
            else hole & (photo.alpha == 255)
        )
        distance = ((again.image[opaque].astype(int) - FILL) ** 2).sum(1)
        assert (distance == nearest).all()
    elif "L" in photo.raster.mode or photo.raster.mode.startswith("I;16"):
        assert np.abs(inside - grey).max() <= (60 if format == "JPEG" else 1)
    elif format == "JPEG":
        assert np.abs(inside - FILL).mean() < 15
    else:
        assert np.abs(inside - FILL).max() <= 1

    assert again.raster.icc == photo.raster.icc
    assert again.metadata.xmp == photo.metadata.xmp
    assert again.metadata.comment == photo.metadata.comment
    if photo.metadata.dpi:
        assert again.metadata.dpi == pytest.approx(photo.metadata.dpi, rel=1e-3)
    with Image.open(path) as first, Image.open(out) as second:
        if format in TURNED:
            assert second.getexif().get(ExifTags.Base.Artist) == "A. Painter"
            assert second.getexif().get(ExifTags.Base.Orientation) == orientation
            exif = second.getexif().get_ifd(ExifTags.IFD.Exif)
            assert exif == first.getexif().get_ifd(ExifTags.IFD.Exif)
        if format in TURNED and photo.raster.mode not in ("CMYK", "LA;16", "RGB;16", "RGBA;16"):
            assert second.info["icc_profile"] == SRGB
        if format == "TIFF":
            assert second.info["compression"] == first.info["compression"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_pillows(orientation):
    pixels = stored_pixels("RGB")
    image = Image.fromarray(pixels)
    image.getexif()[ExifTags.Base.Orientation] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(as_shown(pixels, orientation), expected)


def test_a_hole_taken_from_transparency_becomes_opaque(tmp_path):
    for case in ("LA", "RGBA", "P+index", "P+alphas", "L+key", "RGB+key", "RGBA;16", "RGB;16+key"):
        path, _ = make_file(tmp_path, "PNG", case)
        photo = read_photo(path)
        hole = photo.alpha < 128
        assert hole.any()
        write_photo(photo.completed(flat(photo), hole, opaque=True), path)
        again = read_photo(path)
        assert again.raster.mode == photo.raster.mode
        assert (again.alpha[hole] == 255).all()
        np.testing.assert_array_equal(again.alpha[~hole], photo.alpha[~hole])


def test_a_fill_that_equals_the_transparent_colour_stays_opaque(tmp_path):
    pixels = stored_pixels("RGB")
    pixels[0, 0] = FILL
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path, transparency=FILL)
    photo = read_photo(path)
    hole = np.zeros(photo.alpha.shape, bool)
    hole[5:9, 5:9] = True
    write_photo(photo.completed(flat(photo), hole), path)
    again = read_photo(path)
    np.testing.assert_array_equal(again.alpha, photo.alpha)
    assert np.abs(again.image[hole].astype(int) - FILL).max() == 1


@pytest.mark.parametrize("opaque", [False, True])
def test_one_bit_with_a_transparent_colour(tmp_path, opaque):
    path = tmp_path / "a.png"
    Image.fromarray(stored_pixels("1")).save(path, transparency=0)
    photo = read_photo(path)
    assert photo.raster.mode == "1" and 0 < (photo.alpha == 0).mean() < 1
    hole = hole_in(photo)
    write_photo(photo.completed(flat(photo), hole, opaque=opaque), path)
    again = read_photo(path)
    expected = np.where(hole & opaque, 255, photo.alpha)
    np.testing.assert_array_equal(again.alpha, expected)


def test_grey_of_two_bits_keeps_its_transparent_level(tmp_path):
    header = struct.pack(">IIBBBBB", 4, 1, 2, 0, 0, 0, 0)
    body = zlib.compress(bytes([0, 0b00011011]))
    data = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"tRNS", b"\0\x02")
    path = tmp_path / "a.png"
    path.write_bytes(data + _chunk(b"IDAT", body) + _chunk(b"IEND", b""))
    photo = read_photo(path)
    assert photo.raster.pixels.tolist() == [[0, 85, 170, 255]]
    assert photo.alpha.tolist() == [[255, 255, 0, 255]]
    write_photo(photo, path)
    assert read_photo(path).alpha.tolist() == photo.alpha.tolist()


def test_png_keeps_its_chunks_and_drops_what_is_unsafe(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(stored_pixels("RGB")).save(path)
    data = path.read_bytes()
    before = [(b"gAMA", struct.pack(">I", 45455)), (b"tEXt", b"Title\0Sea"), (b"prVt", b"kept")]
    unsafe = [(b"prVT", b"dropped"), (b"caBX", b"signature")]
    after = [(b"iTXt", b"Comment\0\0\0\0\0at the end")]
    head = b"".join(_chunk(*chunk) for chunk in before + unsafe)
    tail = b"".join(_chunk(*chunk) for chunk in after)
    path.write_bytes(data[:33] + head + data[33:-12] + tail + data[-12:])
    out = tmp_path / "b.png"
    write_photo(read_photo(path), out)
    written = out.read_bytes()
    for kind, content in before + after:
        assert written.count(_chunk(kind, content)) == 1
    for kind, _ in unsafe:
        assert kind not in written
    assert written.index(b"Title") < written.index(b"IDAT") < written.index(b"at the end")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_the_exif_thumbnail_is_wiped_and_the_rest_stays(tmp_path, suffix):
    path, out = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    exif = exif_bytes(6, thumbnail=True)
    Image.fromarray(stored_pixels("RGB")).save(path, exif=exif)
    with Image.open(path) as image:
        assert image.getexif().get_ifd(ExifTags.IFD.IFD1)
    photo = read_photo(path)
    assert any("thumbnail" in note for note in photo.notes)
    write_photo(photo, out)
    with Image.open(out) as image:
        assert not image.getexif().get_ifd(ExifTags.IFD.IFD1)
        assert image.getexif()[ExifTags.Base.Orientation] == 6
        assert image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ISOSpeedRatings] == 400
    assert exif[-200:] not in out.read_bytes()


@pytest.mark.parametrize(
    ("case", "suffix", "mode"),
    [
        ("RGB", ".jpg", "RGB"),
        ("RGB", ".webp", "RGB"),
        ("RGB", ".tif", "RGB"),
        ("RGB", ".bmp", "RGB"),
        ("L", ".webp", "RGB"),
        ("1", ".jpg", "L"),
        ("P", ".jpg", "RGB"),
        ("P+alphas", ".webp", "RGBA"),
        ("P+alphas", ".tif", "RGBA"),
        ("LA", ".bmp", "RGBA"),
        ("RGBA", ".tif", "RGBA"),
        ("I;16", ".jpg", "L"),
        ("I;16", ".tif", "I;16"),
        ("RGB;16", ".tif", "RGB;16"),
        ("RGB;16", ".webp", "RGB"),
        ("RGBA;16", ".bmp", "RGBA"),
        ("RGB+key", ".webp", "RGBA"),
    ],
)
def test_other_formats(tmp_path, case, suffix, mode):
    path, _ = make_file(tmp_path, "PNG", case, orientation=6)
    photo = read_photo(path)
    out = tmp_path / f"out{suffix}"
    notes = write_photo(photo, out)
    again = read_photo(out)
    assert again.raster.mode == mode
    assert again.size == photo.size
    assert any("cannot store pixels" in note for note in notes) == (mode != photo.raster.mode)
    if suffix != ".jpg":
        np.testing.assert_array_equal(again.image, photo.image)
        if photo.alpha is not None:
            np.testing.assert_array_equal(again.alpha, photo.alpha)
    if suffix == ".bmp":
        assert any("written as displayed" in note for note in notes)
    else:
        assert again.orientation == 6
        with Image.open(out) as image:
            assert image.getexif()[ExifTags.Base.Artist] == "A. Painter"


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "TIFF"])
def test_metadata_travels_to_png(tmp_path, format):
    path, _ = make_file(tmp_path, format, "RGB", orientation=7)
    out = tmp_path / "out.png"
    photo = read_photo(path)
    write_photo(photo, out)
    with Image.open(out) as image:
        assert image.info["icc_profile"] == SRGB
        assert image.getexif()[ExifTags.Base.Artist] == "A. Painter"
        assert image.getexif()[ExifTags.Base.Orientation] == 7
        assert image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ISOSpeedRatings] == 400
        if photo.metadata.dpi:
            assert image.info["dpi"] == pytest.approx((240, 240), rel=1e-3)
    np.testing.assert_array_equal(read_photo(out).image, photo.image)
    assert read_photo(out).metadata.xmp == photo.metadata.xmp


def test_jpeg_is_written_at_quality_95_without_subsampling_and_says_so(tmp_path):
    path, _ = make_file(tmp_path, "JPEG", "RGB")
    notes = write_photo(read_photo(path), tmp_path / "b.jpg")
    assert "quality 95" in notes[0] and "4:4:4" in notes[0]
    with Image.open(tmp_path / "b.jpg") as image:
        reference = io.BytesIO()
        Image.new("RGB", (8, 8)).save(reference, "JPEG", quality=95)
        with Image.open(reference) as other:
            assert image.quantization == other.quantization
        assert all(layer[1:3] == (1, 1) for layer in image.layer)


def test_transparency_does_not_go_into_a_jpeg(tmp_path):
    path, _ = make_file(tmp_path, "PNG", "RGBA")
    with pytest.raises(ValueError, match=r"out\.jpg: .*transparent"):
        write_photo(read_photo(path), tmp_path / "out.jpg")
    assert not (tmp_path / "out.jpg").exists()
    opaque = stored_pixels("RGBA")
    opaque[..., 3] = 255
    Image.fromarray(opaque).save(path)
    write_photo(read_photo(path), tmp_path / "out.jpg")
    assert read_photo(tmp_path / "out.jpg").raster.mode == "RGB"


def test_cmyk_without_a_profile_becomes_plain_rgb(tmp_path):
    path, pixels = make_file(tmp_path, "TIFF", "CMYK")
    photo = read_photo(path)
    expected = Image.frombytes("CMYK", photo.size, pixels.tobytes()).convert("RGB")
    np.testing.assert_array_equal(photo.image, np.asarray(expected))


def test_a_broken_profile_does_not_stop_a_cmyk_photo(tmp_path, caplog):
    path, _ = make_file(tmp_path, "TIFF", "CMYK")
    photo = read_photo(path)
    broken = bytes(16) + b"CMYK" + bytes(200)
    photo = replace(photo, raster=replace(photo.raster, icc=broken))
    assert photo.image.shape == (21, 34, 3)
    assert "profile cannot be used" in caplog.text


def test_several_pictures_in_one_file_are_said(tmp_path):
    frames = [Image.fromarray(stored_pixels("RGB", seed=seed)) for seed in range(3)]
    for name, options in [
        ("a.gif", {}),
        ("a.tif", {"compression": "tiff_lzw"}),
        ("a.webp", {"lossless": True}),
        ("a.png", {}),
        ("a.mpo", {}),
    ]:
        path = tmp_path / name
        frames[0].save(path, save_all=True, append_images=frames[1:], **options)
        photo = read_photo(path)
        assert photo.frames > 1
        assert any("only the first" in note for note in photo.notes)
        if name not in ("a.gif", "a.mpo"):
            np.testing.assert_array_equal(photo.image, np.asarray(frames[0]))
        out = tmp_path / f"out{path.suffix}"
        write_photo(photo, out)
        assert read_photo(out).frames == 1


def test_content_decides_on_the_format(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(stored_pixels("RGBA")).save(path, "PNG")
    photo = read_photo(path)
    assert photo.format == "PNG" and photo.raster.mode == "RGBA"
    assert photo.notes == ("is named .jpg but contains a PNG",)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_damaged_exif_does_not_stop_a_photo(tmp_path, suffix):
    rng = np.random.default_rng(2)
    sound = exif_bytes(6, thumbnail=True)
    for number in range(25):
        exif = bytearray(sound)
        for _ in range(4):
            exif[rng.integers(6, 120)] = rng.integers(256)
        if number % 5 == 0:
            exif = exif[: rng.integers(6, 60)]
        path = tmp_path / f"a{suffix}"
        Image.fromarray(stored_pixels("RGB")).save(path, exif=bytes(exif))
        photo = read_photo(path)
        for other in (suffix, ".tif", ".bmp"):
            out = tmp_path / f"out{other}"
            notes = write_photo(photo, out)
            assert read_photo(out).size[0] in photo.size
            if exif[6:10] not in (b"II*\0", b"MM\0*") and other == ".tif":
                assert "its EXIF is damaged and is dropped" in notes


@pytest.mark.parametrize("mode", ["I", "F", "LAB"])
def test_what_cannot_be_kept_is_refused(tmp_path, mode):
    path = tmp_path / "a.tif"
    Image.new(mode, (5, 5)).save(path)
    with pytest.raises(ValueError, match=f"a.tif: .*mode {mode}"):
        read_photo(path)


def test_inverted_grey_of_16_bits_keeps_its_look(tmp_path):
    pixels = stored_pixels("I;16")
    path, out = tmp_path / "a.tif", tmp_path / "b.tif"
    tifffile.imwrite(path, pixels, photometric="miniswhite", metadata=None)
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.raster.pixels, 65535 - pixels)
    write_photo(photo, out)
    with tifffile.TiffFile(out) as file:
        assert file.pages[0].photometric == tifffile.PHOTOMETRIC.MINISBLACK
        np.testing.assert_array_equal(file.pages[0].asarray(), 65535 - pixels)


def test_arguments_are_checked(tmp_path):
    path, _ = make_file(tmp_path, "PNG", "RGB")
    photo = read_photo(path)
    with pytest.raises(ValueError, match="image must be uint8"):
        photo.completed(np.zeros((3, 3, 3), np.uint8), hole_in(photo))
    with pytest.raises(ValueError, match="hole must be bool"):
        photo.completed(flat(photo), hole_in(photo).astype(np.uint8))
    with pytest.raises(ValueError, match="no known photo format"):
        write_photo(photo, tmp_path / "a.xyz")
    write_photo(photo, tmp_path / "without_ending")
    assert read_photo(tmp_path / "without_ending").format == "PNG"


def test_the_photo_is_never_changed(tmp_path):
    for case in ("RGB", "L", "P", "RGBA;16"):
        path, _ = make_file(tmp_path, "PNG", case)
        photo = read_photo(path)
        before, hole = photo.raster.pixels.copy(), hole_in(photo)
        photo.completed(flat(photo), hole)
        np.testing.assert_array_equal(photo.raster.pixels, before)
        np.testing.assert_array_equal(hole, hole_in(photo))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_size_mode_and_hole(tmp_path_factory, data):
    format, case = data.draw(st.sampled_from([c for c in CASES if "+" not in c[1]]))
    height, width = data.draw(st.integers(1, 700)), data.draw(st.integers(1, 700))
    if data.draw(st.booleans()):
        height, width = min(height, 9), width
    orientation = data.draw(st.integers(1, 8)) if format in TURNED else 1
    seed = data.draw(st.integers(0, 99))
    folder = tmp_path_factory.mktemp("any")
    path, _ = make_file(folder, format, case, orientation)
    photo = read_photo(path)
    pixels = stored_pixels(case, height, width, seed)
    photo = replace(photo, raster=replace(photo.raster, pixels=pixels))
    write_photo(photo, path)
    photo = read_photo(path)
    assert photo.raster.pixels.shape[:2] == (height, width)
    w, h = photo.size
    hole = np.zeros((h, w), bool)
    for _ in range(data.draw(st.integers(0, 4))):
        top, left = data.draw(st.integers(0, h - 1)), data.draw(st.integers(0, w - 1))
        size = data.draw(st.sampled_from([1, 2, 7, 60, 700]))
        hole[top : top + size, left : left + size] = True
    mean = photo.image.reshape(-1, 3).mean(0).astype(np.uint8)
    filled = photo.image.copy()
    filled[hole] = mean
    write_photo(photo.completed(filled, hole), path)
    again = read_photo(path)
    assert (again.size, again.raster.mode, again.format) == (photo.size, photo.raster.mode, format)
    if format != "JPEG":
        stored_hole = as_shown(again.raster.pixels, orientation)[~hole]
        np.testing.assert_array_equal(
            stored_hole, as_shown(photo.raster.pixels, orientation)[~hole]
        )


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(
    ("format", "mode"), [("AVIF", "RGB"), ("AVIF", "RGBA"), ("HEIF", "RGB"), ("HEIF", "RGBA")]
)
def test_photos_of_phones(tmp_path, photo, format, mode, orientation):
    if format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    elif not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    suffix = {"AVIF": ".avif", "HEIF": ".heic"}[format]
    shape = (60, 80)
    pixels = np.dstack([cv2.resize(photo, shape[::-1]), np.full(shape, 255, np.uint8)])
    pixels[:30, :20, 3] = 128
    image = Image.fromarray(pixels[..., : len(mode)])
    exif = exif_bytes(orientation)
    image.save(tmp_path / f"in{suffix}", format, quality=100, exif=exif, icc_profile=SRGB)
    found = read_photo(tmp_path / f"in{suffix}")
    expected, _ = shown_pixels(tmp_path / f"in{suffix}")
    assert (found.format, found.raster.mode, found.size) == (format, mode, expected.shape[1::-1])
    np.testing.assert_array_equal(found.image, expected[..., :3])
    hole = hole_in(found)
    completed = found.completed(flat(found), hole)
    notes = write_photo(completed, tmp_path / f"out{suffix}")
    assert f"written as {suffix[1:].upper()} of quality 95" in notes[0]
    back, _ = shown_pixels(tmp_path / f"out{suffix}")
    difference = back[..., :3].astype(int) - completed.image
    assert abs(difference[~hole]).mean() < 2.5
    assert abs(difference[7:13, 8:14]).mean() < 12  # the fill's middle
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert image.getexif()[ExifTags.Base.Artist] == "A. Painter"
        assert image.info["icc_profile"] == SRGB
    write_photo(completed, tmp_path / "out.png")
    exact, _ = shown_pixels(tmp_path / "out.png")
    np.testing.assert_array_equal(exact[..., :3], completed.image)


def test_a_heic_without_its_reader_says_what_to_install(tmp_path, monkeypatch):
    from keras_inpaint.photos import formats as photo_formats

    monkeypatch.delitem(photo_formats.FORMATS, "HEIF", raising=False)
    path = tmp_path / "photo.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    monkeypatch.setattr("keras_inpaint.photos.codec._OPENED", ["PNG", "JPEG"])
    with pytest.raises(ValueError, match=r"is not a JPEG, .*keras-inpaint\[heic\]"):
        read_photo(path)
