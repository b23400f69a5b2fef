"""Which files are asked for: formats, precisions, and options that a format knows."""

from collections.abc import Sequence

from tinyseg.errors import UsageError
from tinyseg.exporters.base import Exporter, Particular, load_exporter, require, require_target
from tinyseg.runs.records import ExportOptions, Precision


def require_formats(formats: Sequence[str]) -> list[Exporter]:
    """The exporters of formats, all of whose packages are installed.

    Raises:
        UsageError: no such format.
        MissingExtraError: a format's packages are not installed.
    """
    if "saved_model" in formats:
        raise UsageError(
            "saved_model is not written: no maintained converter from PyTorch gives a right one.",
            "Use --format tflite, which TensorFlow runs too.",
        )
    exporters = [load_exporter(name) for name in formats]
    for exporter in exporters:
        what = f"Export to {exporter.name}"
        require(exporter, (*exporter.converts_with, *exporter.runs_with), what)
    return exporters


def wanted_of(
    exporters: Sequence[Exporter], precisions: Sequence[Precision], options: ExportOptions
) -> list[tuple[Exporter, ExportOptions]]:
    """Every format in every precision, with those of the options that the format knows.

    Raises:
        UsageError: a format has no such precision, not for the target, or none knows an option.
        MissingExtraError: a target's runtime is not installed.
        TinysegError: a format cannot do here what is asked for.
    """
    given = options.model_dump(exclude={"precision"}, exclude_defaults=True)
    known = {name for exporter in exporters for name in exporter.options}
    for name, value in given.items():
        if name not in known:
            named = ", ".join(exporter.name for exporter in exporters)
            option = f"--{name}" if value is True else f"--{name} {value}"
            raise UsageError(f"{option} means nothing to {named}.", "Leave it out.")
    for exporter in exporters:
        if isinstance(exporter, Particular):
            exporter.check_options(options)
        for precision in precisions:
            if precision not in exporter.precisions:
                raise UsageError(
                    f"{exporter.name} is not written in {precision}.",
                    f"It is in {', '.join(exporter.precisions)}.",
                )
    wanted = [
        (exporter, _narrowed(exporter, given, precision))
        for exporter in exporters
        for precision in precisions
    ]
    for exporter, each in wanted:
        if isinstance(exporter, Particular):
            exporter.check_options(each)
        require_target(exporter, each, f"Export to {exporter.name} for --target {each.target}")
    return wanted


def _narrowed(exporter: Exporter, given: dict[str, object], precision: Precision) -> ExportOptions:
    kept = {name: value for name, value in given.items() if name in exporter.options}
    return ExportOptions.model_validate({**kept, "precision": precision})
