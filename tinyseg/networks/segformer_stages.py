"""What the encoders that go from a quarter to a 32nd of the side in four stages share."""

from collections.abc import Sequence

from tinyseg.errors import UsageError

#: Side and stride of the patches that begin each stage.
PATCHES, STRIDES = (7, 3, 3, 3), (4, 2, 2, 2)


def check_stages(
    widths: Sequence[int],
    depths: Sequence[int],
    heads: Sequence[int],
    reductions: Sequence[int],
    decoder_width: int,
) -> None:
    """Checks what each of the four stages is made with, and the width that they are decoded at.

    Raises:
        UsageError: not four numbers from 1 on, heads that do not divide their width, or reductions
            that do not divide 8, 4, 2 and 1, the sides of a picture of 32 pixels in the stages;
            a decoder's width below 1.
    """
    given = {"widths": widths, "depths": depths, "heads": heads, "reductions": reductions}
    for name, values in given.items():
        if len(values) != len(STRIDES) or min(values) < 1:
            raise UsageError(f"{name} should be four numbers from 1 on, not {list(values)}.")
    if any(width % number for width, number in zip(widths, heads, strict=True)):
        raise UsageError(f"heads should divide widths {list(widths)}, not be {list(heads)}.")
    if any(side % reduction for side, reduction in zip((8, 4, 2, 1), reductions, strict=True)):
        raise UsageError(f"reductions should divide 8, 4, 2 and 1, not be {list(reductions)}.")
    if decoder_width < 1:
        raise UsageError(f"decoder_width should be at least 1, not {decoder_width}.")
