"""Every kind of image file is converted correctly or refused with a reason."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from evoscope.data.files import MAX_PIXELS, FileSource, UndecodableError, decode, fault, offenders, square, to_rgb
from evoscope.data.images import Fit
from evoscope.errors import EvoscopeError

PHOTO_SIDE = 40


def encoded(image, form="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def photo(width=PHOTO_SIDE, height=PHOTO_SIDE, seed=0):
    """Smooth coloured picture, so that JPEG keeps it."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def difference(left, right):
    return np.abs(np.asarray(left, dtype=float) - np.asarray(right, dtype=float)).mean()


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_rgb_at_its_own_size_is_unchanged(form):
    image = photo()
    assert np.array_equal(decode(encoded(image, form), PHOTO_SIDE), np.asarray(image))


def test_jpeg_and_webp_are_close():
    image = photo()
    for form in ("JPEG", "WEBP"):
        assert difference(decode(encoded(image, form, quality=95), PHOTO_SIDE), image) < 3


def test_grey_is_repeated_over_channels():
    grey = photo().convert("L")
    assert np.array_equal(decode(encoded(grey), PHOTO_SIDE), np.repeat(np.asarray(grey)[..., None], 3, axis=2))


def test_bilevel_becomes_black_and_white():
    bits = np.random.default_rng(1).random((8, 8)) > 0.5
    assert np.array_equal(decode(encoded(Image.fromarray(bits)), 8)[..., 0], bits * np.uint8(255))


def test_palette_becomes_its_colours():
    image = photo().quantize(16)
    assert np.array_equal(decode(encoded(image), PHOTO_SIDE), np.asarray(image.convert("RGB")))


def test_transparent_palette_entry_becomes_white():
    image = Image.new("P", (6, 6), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(0, (0, 0, 3, 6))
    for form in ("PNG", "GIF"):
        pixels = decode(encoded(image, form, transparency=0), 6)
        assert (pixels[:, :3] == 255).all()
        assert (pixels[:, 3:] == [0, 0, 255]).all()


def test_alpha_is_laid_over_white():
    rng = np.random.default_rng(2)
    values = rng.integers(0, 256, (7, 7, 4), dtype=np.uint8)
    alpha = values[..., 3:] / 255
    expected = values[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(decode(encoded(Image.fromarray(values)), 7) - expected).max() <= 1


def test_grey_with_alpha_is_laid_over_white():
    values = np.random.default_rng(3).integers(0, 256, (7, 7, 2), dtype=np.uint8)
    alpha = values[..., 1] / 255
    expected = values[..., 0] * alpha + 255 * (1 - alpha)
    assert np.abs(decode(encoded(Image.fromarray(values)), 7) - expected[..., None]).max() <= 1


@pytest.mark.parametrize(("mode", "key"), [("RGB", (9, 8, 7)), ("L", 9)])
def test_transparent_colour_key_becomes_white(mode, key):
    image = Image.new(mode, (4, 4), key)
    assert (decode(encoded(image, transparency=key), 4) == 255).all()


def test_cmyk_jpeg_keeps_its_colours():
    image = photo()
    content = encoded(image.convert("CMYK"), "JPEG", quality=95)
    assert Image.open(io.BytesIO(content)).mode == "CMYK"
    assert difference(decode(content, PHOTO_SIDE), image) < 4


def test_sixteen_bit_grey_is_scaled_not_clipped():
    values = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    for form in ("PNG", "TIFF"):
        pixels = decode(encoded(Image.fromarray(values), form), 16)
        assert np.array_equal(pixels[..., 1], np.rint(values / 257).astype(np.uint8))


def test_sixteen_bit_portable_greymap():
    values = np.array([[0, 257], [32896, 65535]], dtype=">u2")
    assert decode(b"P5 2 2 65535\n" + values.tobytes(), 2)[..., 0].tolist() == [[0, 1], [128, 255]]


@pytest.mark.parametrize("values", [np.full((4, 4), 0.5, np.float32), np.full((4, 4), 70_000, np.int32)])
def test_grey_without_a_known_range_is_refused(values):
    assert "no known range" in fault(encoded(Image.fromarray(values), "TIFF"))


def test_sixteen_bit_colour_png():
    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" + struct.pack(">HHH", 0xFF00, 0x8080, 0))
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*each) for each in [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    )
    assert np.abs(decode(content, 1)[0, 0].astype(int) - [254, 128, 0]).max() <= 1


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    upright = np.asarray(photo(seed=4))
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](upright)))
    assert np.array_equal(decode(encoded(stored, exif=exif), PHOTO_SIDE), upright)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_spoil_the_picture():
    image = photo()
    content = encoded(image, "JPEG", quality=95, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01")
    assert difference(decode(content, PHOTO_SIDE), image) < 3


@pytest.mark.parametrize("mode", ["squash", "crop"])
def test_one_pixel_fills_the_square(mode):
    image = Image.new("RGB", (1, 1), (10, 200, 30))
    assert (decode(encoded(image), 5, Fit(mode, 0.875)) == [10, 200, 30]).all()


@pytest.mark.parametrize("size", [(1, 300), (300, 1)])
def test_very_long_images_are_decoded(size):
    for fit in (Fit(), Fit("crop", 0.5)):
        assert decode(encoded(photo(*size)), 6, fit).shape == (6, 6, 3)


def test_animation_shows_its_first_frame():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode(content, 4) == [255, 0, 0]).all()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_truncated_files_are_refused(form, kept):
    noise = Image.fromarray(np.random.default_rng(5).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    content = encoded(noise, form)
    assert fault(content) is None
    assert fault(content[: int(len(content) * kept)])


def test_truncated_progressive_jpeg_is_refused():
    content = encoded(photo(200, 200), "JPEG", progressive=True, quality=95)
    assert fault(content) is None
    assert fault(content[: len(content) * 3 // 4])


def test_flipped_bytes_in_png_data_are_refused():
    content = bytearray(encoded(photo()))
    content[len(content) // 2] ^= 0xFF
    assert fault(bytes(content))


@pytest.mark.parametrize("content", [b"<html>no image</html>", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM"])
def test_what_is_no_image_is_refused(content):
    assert fault(content)


def test_empty_content_is_refused_as_empty():
    assert fault(b"") == "empty"


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_random_damage_never_escapes_as_another_error():
    rng = np.random.default_rng(6)
    originals = [encoded(photo(), form) for form in ("JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP")]
    refused = 0
    for _ in range(60):
        for original in originals:
            content = np.frombuffer(original, dtype=np.uint8).copy()
            content[rng.integers(0, len(content), 8)] = rng.integers(0, 256, 8)
            try:
                assert decode(content.tobytes(), 4).shape == (4, 4, 3)
            except UndecodableError as error:
                refused += bool(str(error))
    assert refused > 60


def test_decompression_bomb_is_refused_before_it_is_decoded():
    side = int(MAX_PIXELS**0.5) + 1
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side // 8 + 1) * 100))
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows)
    with pytest.warns(Image.DecompressionBombWarning):
        assert f"{side} x {side}" in fault(content)
    larger = content.replace(
        chunk(b"IHDR", header), chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 1, 0, 0, 0, 0))
    )
    assert "bomb" in fault(larger)


def bilinear_oracle(values, pixels, left, top, width, height):
    """Area-aware triangle filter from its definition, one output pixel at a time, float64."""

    def weights(start, length, count, i):
        scale = length / pixels
        reach = max(scale, 1.0)
        centre = start + (i + 0.5) * scale
        positions = np.arange(count) + 0.5
        weight = np.clip(1 - np.abs(positions - centre) / reach, 0, None)
        return weight / weight.sum()

    rows = np.array([weights(top, height, values.shape[0], i) for i in range(pixels)])
    columns = np.array([weights(left, width, values.shape[1], i) for i in range(pixels)])
    return np.einsum("ih,jw,hwc->ijc", rows, columns, values.astype(np.float64))


@pytest.mark.parametrize("pixels", [5, 17, 60])
def test_squash_matches_the_definition(pixels):
    image = photo(31, 23, seed=7)
    expected = bilinear_oracle(np.asarray(image), pixels, 0, 0, 31, 23)
    assert np.abs(square(image, pixels) - expected).max() < 2


@pytest.mark.parametrize(("width", "height"), [(48, 32), (32, 48)])
def test_crop_takes_the_central_square(width, height):
    image = photo(width, height, seed=8)
    expected = np.asarray(image)[height // 2 - 12 : height // 2 + 12, width // 2 - 12 : width // 2 + 12]
    assert np.array_equal(square(image, 24, Fit("crop", 0.75)), expected)


def test_crop_of_a_photograph_is_close_to_resize_then_crop():
    image = photo(100, 80, seed=9)
    resized = image.resize((80, 64), Image.Resampling.BILINEAR)
    expected = np.asarray(resized)[4:60, 12:68]
    assert difference(square(image, 56, Fit("crop", 0.875)), expected) < 1


@pytest.mark.parametrize("fit", [Fit(), Fit("crop", 0.5)])
def test_jpeg_draft_stays_close_to_the_full_decoding(fit):
    image = photo(512, 384, seed=10)
    content = encoded(image, "JPEG", quality=95)
    whole = Image.open(io.BytesIO(content)).convert("RGB")
    for pixels in (16, 32, 64):
        assert difference(decode(content, pixels, fit), square(whole, pixels, fit)) < 1


def test_results_are_rgb_bytes_in_every_size():
    content = encoded(photo(33, 21), "JPEG")
    for pixels in (1, 2, 33, 100):
        result = decode(content, pixels)
        assert (result.shape, result.dtype) == ((pixels, pixels, 3), np.uint8)


def test_to_rgb_leaves_rgb_alone():
    image = photo()
    assert np.array_equal(np.asarray(to_rgb(image)), np.asarray(image))


def test_a_file_that_cannot_be_decoded_is_named(tmp_path):
    files = FileSource(tmp_path, ("broken.png", "absent.png"))
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(EvoscopeError, match=r"broken\.png cannot be decoded \(not an image\)"):
        files.read(0, 4)
    with pytest.raises(EvoscopeError, match=r"absent\.png cannot be decoded \(No such file"):
        files.read(1, 4)


def test_offenders_lists_twenty_then_counts():
    text = offenders({f"{i:02d}.png": "not an image" for i in range(23)})
    assert text.count("not an image") == 20
    assert text.endswith("and 3 more")
    assert "\\n" in offenders({"new\nline.png": "empty"})
