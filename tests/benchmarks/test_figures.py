import pytest

from benchmarks.figures import exponent, ratio, slope, three_digits


def test_a_ratio_is_the_rivals_median_over_ours():
    assert ratio([8.0, 1000.0, 6.0], [2.0, 0.001, 90.0]) == 4.0


def test_the_exponent_is_that_of_a_power_law():
    lengths = [64, 256, 1024, 4096]
    assert exponent({n: 3e-6 * n**1.25 for n in lengths}) == pytest.approx(1.25)


def test_the_exponent_is_a_least_squares_fit_of_logarithms():
    # Seconds 1, 4, 1 at lengths 1, 2, 4: symmetric about the middle, so no slope.
    assert exponent({4: 1.0, 2: 4.0, 1: 1.0}) == pytest.approx(0)


def test_fixed_memory_drops_out_of_the_slope():
    fixed, unit = 5_000_000, 1000.0
    assert slope(fixed + 0.75 * unit, fixed + 3 * 0.75 * unit, unit) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0331, "0.033"),
        (0.5, "0.500"),
        (2.345, "2.35"),
        (49.62, "49.6"),
        (591.4, "591"),
        (0, "0.00"),
    ],
)
def test_tables_show_three_digits(number, text):
    assert three_digits(number) == text
