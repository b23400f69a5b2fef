"""Picture files of every form become arrays of one; broken ones are named."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from tinyseg.data.masks import read_mask
from tinyseg.data.pairs import read_pair
from tinyseg.data.pictures import read_image
from tinyseg.errors import TinysegError

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)
MARK = np.zeros((6, 8), np.uint8)
MARK[1:4, 2:7] = 1


def save(path, array, mode=None):
    picture = Image.fromarray(array)
    (picture if mode is None else picture.convert(mode)).save(path)
    return path


@pytest.mark.parametrize("ending", [".png", ".tif", ".TIFF", ".bmp"])
def test_colour_is_kept(tmp_path, ending):
    assert np.array_equal(read_image(save(tmp_path / f"a{ending}", COLOUR)), COLOUR)


@pytest.mark.parametrize("ending", [".png", ".tif", ".bmp"])
def test_grey_is_repeated(tmp_path, ending):
    image = read_image(save(tmp_path / f"a{ending}", GREY))
    assert np.array_equal(image, np.stack([GREY] * 3, axis=2))


def test_alpha_is_dropped(tmp_path):
    alpha = np.dstack([COLOUR, GREY])
    assert np.array_equal(read_image(save(tmp_path / "a.png", alpha)), COLOUR)
    tifffile.imwrite(tmp_path / "a.tif", alpha, photometric="rgb", extrasamples=["unassalpha"])
    assert np.array_equal(read_image(tmp_path / "a.tif"), COLOUR)


def test_grey_with_alpha_is_grey(tmp_path):
    Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(255 - GREY)]).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), np.stack([GREY] * 3, axis=2))


def test_a_palette_is_looked_up(tmp_path):
    picture = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "P")
    picture.putpalette([9, 8, 7, 40, 50, 60, 255, 0, 1])
    picture.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [
        [[9, 8, 7], [40, 50, 60]], [[255, 0, 1], [40, 50, 60]],
    ]  # fmt: skip


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_sixteen_bits_are_stretched(tmp_path, ending):
    deep = np.array([[100, 1100], [600, 2100]], np.uint16)
    path = tmp_path / f"a{ending}"
    if ending == ".tif":
        tifffile.imwrite(path, deep, photometric="minisblack")
    else:
        Image.fromarray(deep).save(path)
    assert read_image(path)[..., 0].tolist() == [[0, 128], [64, 255]]


def test_flat_and_undefined_pixels_do_no_harm(tmp_path):
    tifffile.imwrite(tmp_path / "flat.tif", np.full((4, 4), 900, np.uint16))
    assert read_image(tmp_path / "flat.tif").max() == 0
    undefined = np.array([[0, 1], [np.nan, np.inf]], np.float32)
    tifffile.imwrite(tmp_path / "nan.tif", undefined)
    assert read_image(tmp_path / "nan.tif")[..., 1].tolist() == [[0, 255], [0, 0]]


@pytest.mark.parametrize("compression", ["deflate", "lzw", None])
def test_compressed_tiffs_are_read_without_further_packages(tmp_path, compression):
    Image.fromarray(COLOUR).save(
        tmp_path / "a.tif",
        compression={"deflate": "tiff_adobe_deflate", "lzw": "tiff_lzw", None: None}[compression],
    )
    assert np.array_equal(read_image(tmp_path / "a.tif"), COLOUR)


def test_planes_apart_come_together(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", COLOUR.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"
    )
    assert np.array_equal(read_image(tmp_path / "a.tif"), COLOUR)


@pytest.mark.parametrize("white", [1, 2, 128, 254, 255])
def test_a_mask_of_two_values_marks_the_upper(tmp_path, white):
    path = save(tmp_path / "m.png", (MARK * white).astype(np.uint8))
    assert np.array_equal(read_mask(path), MARK)


def test_masks_of_one_bit_of_sixteen_and_in_grey_colour_are_masks(tmp_path):
    save(tmp_path / "bit.png", MARK * np.uint8(255), "1")
    Image.fromarray(MARK.astype(np.uint16) * 65535).save(tmp_path / "deep.png")
    save(tmp_path / "rgba.png", MARK * np.uint8(255), "RGBA")
    save(tmp_path / "palette.png", MARK * np.uint8(255), "P")
    for name in ("bit", "deep", "rgba", "palette"):
        assert np.array_equal(read_mask(tmp_path / f"{name}.png"), MARK), name


def test_blurred_edges_count_from_half(tmp_path):
    levels = np.array([[0, 127, 128, 255]], np.uint8)
    assert read_mask(save(tmp_path / "m.png", levels)).tolist() == [[0, 0, 1, 1]]


def test_lossy_masks_lose_their_specks(tmp_path):
    wide = np.kron(MARK, np.ones((8, 8), np.uint8))
    Image.fromarray(wide * 255).save(tmp_path / "m.jpg", quality=60)
    assert (read_mask(tmp_path / "m.jpg") == wide).mean() > 0.99


def test_an_empty_mask_is_empty(tmp_path):
    assert read_mask(save(tmp_path / "m.png", MARK * 0)).sum() == 0


def test_a_mask_in_colour_is_refused(tmp_path):
    with pytest.raises(TinysegError, match=r"m\.png is in colour.*one mask a class"):
        read_mask(save(tmp_path / "m.png", COLOUR))


def test_sizes_that_differ_are_refused(tmp_path):
    image, mask = save(tmp_path / "a.png", COLOUR), save(tmp_path / "m.png", MARK[:, :7])
    with pytest.raises(TinysegError, match=r"m\.png is 7x6 pixels, its picture a\.png is 8x6"):
        read_pair(image, mask, "a", "a")


@pytest.mark.parametrize("ending", [".tif", ".png", ".jpg"])
@pytest.mark.parametrize("kept", [0, 30, 0.5])
def test_a_broken_file_is_named(tmp_path, ending, kept):
    path = save(tmp_path / f"broken{ending}", np.kron(COLOUR, np.ones((9, 9, 1), np.uint8)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if kept < 1 else kept])
    with pytest.raises(TinysegError, match=rf"broken\{ending} cannot be read, it may be corrupt"):
        read_image(path)


def test_a_file_that_went_is_named(tmp_path):
    with pytest.raises(TinysegError, match=r"gone\.png is gone"):
        read_image(tmp_path / "gone.png")


def test_a_stack_is_refused(tmp_path):
    tifffile.imwrite(
        tmp_path / "stack.tif", np.zeros((5, 6, 7), np.uint8), photometric="minisblack"
    )
    with pytest.raises(TinysegError, match="is a stack of 5 x 6 x 7"):
        read_image(tmp_path / "stack.tif")


def test_real_tiffs_agree_with_an_independent_reader(shared_data):
    folder = next((shared_data / "lgg" / "kaggle_3m").glob("TCGA_*"))
    for path in sorted(folder.iterdir())[:20]:
        expected = np.asarray(Image.open(path))
        if path.stem.endswith("_mask"):
            assert np.array_equal(read_mask(path) * 255, expected)
        else:
            assert np.array_equal(read_image(path), expected)
