"""What a reader of the comparison must know beside its numbers."""

from collections.abc import Collection, Sequence

from tinyseg.comparison.columns import source_name, title_of
from tinyseg.comparison.reading import Row, score_of
from tinyseg.comparison.rows import comparable

_MEASURES = {
    "per_volume": "Dice is the mean over volumes of the test part",
    "per_image": "Dice is the mean over images of the test part",
    "top1": "top-1 is the share of the test part's images",
}


def notes(rows: Sequence[Row], shown: Collection[str]) -> list[str]:
    """Sentences on what the rows mean, and what in them must not be compared.

    Args:
        rows: of the comparison.
        shown: names of the columns that the reader sees.
    """
    scored = [row for row in rows if score_of(row) is not None]
    timed = [name.removesuffix("_ms") for name in shown if name.endswith("_ms")]
    return [
        *_on_measures(scored),
        *_on_different_tests(scored),
        *_on_leaks(scored),
        *_on_imported(scored),
        *_on_artifacts(rows, shown),
        *_on_timings(rows, timed),
        *(f"{row['run']}: {row['problem']}" for row in rows if row["problem"]),
    ]


def _on_measures(scored: Sequence[Row]) -> list[str]:
    found = sorted({row["measure"] for row in scored}, reverse=True)
    sentences = [f"{_MEASURES[measure]}, 95 % by bootstrap over groups." for measure in found]
    if len(found) > 1:
        sentences.append("The column 'measure' says which row has which.")
    if any(row["pareto"] for row in scored):
        sentences.append(
            "★ no run of the same data, split and size has a higher score with fewer parameters."
        )
    return sentences


def _on_different_tests(scored: Sequence[Row]) -> list[str]:
    tests = sorted({comparable(row) for row in scored})
    sentences: list[str] = []
    if len(tests) > 1:
        listed = "; ".join(_test(*test) for test in tests)
        sentences.append(f"Do not compare scores between different tests: {listed}.")
    if any(len({row["seed"] for row in scored if comparable(row) == test}) > 1 for test in tests):
        sentences.append("Runs with different seeds were tested on different pictures.")
    return sentences


def _test(data: str, split: str, size: int) -> str:
    name = source_name(data)
    return f"{f'all of {name}' if split == 'all' else f'{name} by {split}'} at {size}"


def _on_imported(scored: Sequence[Row]) -> list[str]:
    """Of runs alone that were imported are all pictures of their data the test."""
    imported = [row["run"] for row in scored if row["split"] == "all"]
    return [
        f"{', '.join(imported)}: imported, tested on pictures that may have trained it."
    ] * bool(imported)


def _on_leaks(scored: Sequence[Row]) -> list[str]:
    torn = any(row["split"] == "image" and row["measure"] == "per_volume" for row in scored)
    return ["A split by image tests on patients seen in training: its Dice flatters."] * torn


def _on_artifacts(rows: Sequence[Row], shown: Collection[str]) -> list[str]:
    """Each failed format with its reason; files of earlier versions have none."""
    formats = [
        name.removesuffix("_kb") for name in (rows[0] if rows else ()) if name.endswith("_kb")
    ]
    failed = [(row, name) for row in rows for name in formats if row[f"{name}_state"] == "failed"]
    known = [
        f"{row['run']}: {title_of(name)} failed at {row[f'{name}_problem']}"
        for row, name in failed
        if row[f"{name}_problem"]
    ]
    bare = any(f"{name}_kb" in shown and not row[f"{name}_problem"] for row, name in failed)
    return [*["failed: the file did not pass parity; do not ship it."] * bare, *known]


def _on_timings(rows: Sequence[Row], timed: Sequence[str]) -> list[str]:
    sentences: list[str] = []
    machines = {row[f"{name}_machine"] for name in timed for row in rows} - {None}
    if len(machines) > 1:
        sentences.append(f"Times come from different machines: {'; '.join(sorted(machines))}.")
    threads = {row[f"{name}_threads"] for name in timed for row in rows} - {None}
    if len(threads) > 1:
        counts = ", ".join(str(count) for count in sorted(threads))
        sentences.append(f"Times were taken with different numbers of threads: {counts}.")
    if any(row[f"{name}_trusted"] is False for name in timed for row in rows):
        sentences.append("~ a time that its profile does not trust.")
    return sentences
