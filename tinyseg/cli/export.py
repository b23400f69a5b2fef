"""`tinyseg export`."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyseg.cli import console
from tinyseg.cli.checking import check_file, difference, explained, measure
from tinyseg.cli.fresh import (
    Classes,
    From,
    InChannels,
    Seed,
    Size,
    SubjectName,
    TaskOf,
    resolve_subject,
)
from tinyseg.cli.options import Json, Quiet, Runs, Set, Verbose
from tinyseg.cli.preflight import look_ahead
from tinyseg.errors import UsageError
from tinyseg.runs.records import ArtifactRecord, ExportDocument, ExportOptions, Precision

_FORMATS = ("onnx", "tflite")
_FILES, _PROOF = "What is written", "What is proved"


def export(
    subject: SubjectName = None,
    own: From = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            rich_help_panel=_FILES,
            metavar="LIST",
            help="Formats, separated by commas: onnx, tflite, openvino, pt2, executorch.",
            show_default="onnx,tflite; with --check, as the file says",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            rich_help_panel=_FILES,
            metavar="FOLDER",
            help="To write into, instead of the run's own folder.",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            rich_help_panel=_FILES,
            metavar="LIST",
            help="fp32, fp16, int8-weights, int8-dynamic, int8, int8-full, separated by commas.",
            show_default="fp32; with --check, as the file's manifest says",
        ),
    ] = None,
    calibration_images: Annotated[
        int,
        typer.Option(
            "--calibration-images",
            rich_help_panel=_FILES,
            min=1,
            metavar="N",
            help="Training pictures that int8 and int8-full take ranges from.",
        ),
    ] = 64,
    opset: Annotated[
        int | None,
        typer.Option(
            "--opset",
            rich_help_panel=_FILES,
            min=1,
            metavar="N",
            help="Of ONNX.",
            show_default="20",
        ),
    ] = None,
    scan: Annotated[
        Literal["portable"] | None,
        typer.Option(
            "--scan",
            rich_help_panel=_FILES,
            help="portable: without control flow, for runtimes that have none.",
            show_default="the format's own",
        ),
    ] = None,
    dynamic: Annotated[
        bool,
        typer.Option(
            "--dynamic", rich_help_panel=_FILES, help="Leave batch, height and width free."
        ),
    ] = False,
    layout: Annotated[
        Literal["nchw", "nhwc"],
        typer.Option(
            "--layout", rich_help_panel=_FILES, help="Where the channels of input and output are."
        ),
    ] = "nchw",
    target: Annotated[
        Literal["mcu"] | None,
        typer.Option(
            "--target",
            rich_help_panel=_FILES,
            help="mcu: for microcontrollers.",
            show_default=False,
        ),
    ] = None,
    c_array: Annotated[
        bool,
        typer.Option(
            "--c-array",
            rich_help_panel=_FILES,
            help="Also write files for microcontrollers as C++: NAME.h and NAME.cc.",
        ),
    ] = False,
    aot: Annotated[
        bool,
        typer.Option(
            "--aot", rich_help_panel=_FILES, help="Compile ahead of time for this machine."
        ),
    ] = False,
    evaluate: Annotated[
        bool,
        typer.Option(
            "--evaluate/--no-evaluate",
            rich_help_panel=_PROOF,
            help="Compare scores on all test pictures of the run.",
        ),
    ] = True,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            rich_help_panel=_PROOF,
            metavar="FILE",
            help="Compare a file that came from anywhere with its run, and write nothing.",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            rich_help_panel=_PROOF,
            metavar="RUN",
            help="Of --check's file.",
            show_default="the one it lies in or was made from",
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            rich_help_panel=_PROOF,
            help="Walk the network's stages: which is the first that differs?",
        ),
    ] = False,
    preflight: Annotated[
        bool,
        typer.Option(
            "--preflight",
            help="What would fail, and in which line: nothing is converted or written.",
        ),
    ] = False,
    size: Size = None,
    classes: Classes = None,
    in_channels: InChannels = None,
    task: TaskOf = None,
    settings: Set = [],  # noqa: B006  (typer copies it)
    seed: Seed = None,
    runs: Runs = Path("runs"),
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Exports a run, or a network with fresh weights, and proves what the files do.

    Every file is run by its own runtime on test pictures and compared with
    PyTorch: by logits, probabilities, labels that flip, and scores. A file that
    fails keeps the ending .failed, and the exit code is 3. A format that fails
    hinders no other; the run keeps the reason, which tinyseg compare shows.

    With --check FILE nothing is exported: the file is run and compared the same
    way, wherever it came from. With --preflight nothing is either: what would
    stop a converter is told, and the exit code is 3 if anything would.

    Example: tinyseg export runs/ul-vm-unet-phantom-1 --format onnx,tflite
    """
    from tinyseg.exporters import export_all, write_c_array

    names = _names("--format", formats) if formats is not None else []
    precisions = _precisions(precision) if precision is not None else []
    options = ExportOptions(
        scan=scan, opset=opset, dynamic=dynamic, layout=layout, target=target, aot=aot
    )
    named = _named(subject, check, run, out)
    if preflight and (check or out or explain):
        raise UsageError(
            "--preflight looks at a network alone, before there is a file.",
            "Leave --check, --out and --explain out.",
        )
    if c_array and (check or target != "mcu" or "tflite" not in (names or _FORMATS)):
        raise UsageError(
            "--c-array writes files for microcontrollers as C++.",
            "Use it with --format tflite --target mcu.",
        )
    resolve = partial(
        resolve_subject,
        own=own,
        task=task,
        runs=runs,
        size=size,
        classes=classes,
        in_channels=in_channels,
        settings=settings,
        seed=seed,
    )
    if check:
        shaped = any(each is not None for each in (size, classes, in_channels, task, seed))
        if not (named or own) and (shaped or settings):
            raise UsageError(
                f"The run of {check} has its own shape.", "Options of it go with --from."
            )
        of = resolve(named) if named or own else None
        check_file(
            check,
            of,
            formats=names,
            precisions=precisions,
            runs=runs,
            evaluate=evaluate,
            explain=explain,
        )
        return
    resolved = resolve(named)
    if preflight:
        look_ahead(resolved, names or _FORMATS, precisions or ["fp32"], options)
        return
    with console.progress() as progress:
        outcome = export_all(
            resolved,
            names or _FORMATS,
            precisions=precisions or ["fp32"],
            options=options,
            calibration_images=calibration_images,
            out=out,
            evaluate=evaluate,
            explain=explain,
            progress=progress,
        )
    console.emit(outcome.document, _view(outcome.document))
    if resolved.run and not resolved.data:
        console.say("Compared on synthetic pictures and without scores: the run has no data.")
    good = [record for record in outcome.artifacts if record.passed]
    if good:
        console.say(f"Written to {Path(good[0].path).parent}, each with its manifest.")
    for record in good if c_array else []:
        if record.arena:
            header, source = write_c_array(Path(record.path))
            console.say(f"{source.name} and {header.name} hold it for C++.")
    outcome.require()
    console.say(f"Next: tinyseg profile {subject if resolved.run else good[0].path}")


def _named(
    subject: str | None, check: Path | None, run: str | None, out: Path | None
) -> str | None:
    """The subject, or the run of a file to check.

    Raises:
        UsageError: options of both.
    """
    if not check and run:
        raise UsageError(
            "--run says which run --check's file is of.", f"Type: tinyseg export {run}"
        )
    if check and (subject or out):
        given = subject or f"--out {out}"
        raise UsageError(f"--check writes nothing, so {given} cannot be meant.", "Use --run RUN.")
    return run if check else subject


def _names(option: str, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{option} '{text}' should name one or more, separated by commas.")
    return list(dict.fromkeys(names))


def _precisions(text: str) -> list[Precision]:
    known = get_args(Precision)
    names = _names("--precision", text)
    for name in names:
        if name not in known:
            raise UsageError(f"'{name}' is no precision.", f"There are: {', '.join(known)}.")
    return [precision for precision in known if precision in names]


def _view(document: ExportDocument) -> RenderableType:
    """The table, if there are files, and what became of the other formats."""
    lines = [
        Text(f"{failure.label} failed ({failure.stage}): {failure.reason}", "red")
        for failure in document.failures
        if failure.stage != "parity"
    ]
    lines += [
        Text(f"{Path(record.path).name} in {runtime}: differs by up to {parity.max_abs:.1e}")
        for record in document.artifacts
        for runtime, parity in record.also.items()
    ]
    lines += [
        Text(f"{Path(record.path).name}: {difference(record.accuracy)}")
        for record in document.artifacts
        if record.accuracy and record.accuracy.difference
    ]
    walks = [
        Group(Path(record.path).name, explained(record.explanation))
        for record in document.artifacts
        if record.explanation
    ]
    arenas = [_arena(record) for record in document.artifacts if record.arena]
    return Group(*[view(document.artifacts)] * bool(document.artifacts), *arenas, *lines, *walks)


def _arena(record: ArtifactRecord) -> Text:
    arena = record.arena
    assert arena
    return Text(
        f"{Path(record.path).name}: an arena of {arena.total_bytes:,} bytes, "
        f"{arena.activations_bytes:,} of activations and {arena.persistent_bytes:,} that last."
    )


def view(records: list[ArtifactRecord]) -> RenderableType:
    """The table of exported files."""
    table = Table(title="Artifacts", title_justify="left", caption_justify="left", box=box.SIMPLE)
    table.padding = 0
    table.add_column("file", overflow="fold")
    scored = next((record.accuracy for record in records if record.accuracy), None)
    columns = ("KB", "nodes", "s", "diff", "flips", "dB")
    for column in (*columns, *((measure(scored), "gap") if scored else ())):
        table.add_column(column, justify="right")
    for record in records:
        table.add_row(*_row(record))
    table.caption = (
        "diff: largest difference of a probability.\n"
        "dB: power of the logits over that of their difference."
    )
    if scored:
        over = "volumes" if scored.measure == "per_volume" else "images"
        table.caption += (
            f"\n{measure(scored)}: mean over {over} of the test part; the run's is "
            f"{scored.scores[1]:.4f}."
        )
    return table


def _row(record: ArtifactRecord) -> list[str]:
    parity, accuracy = record.parity, record.accuracy
    name = Path(record.path).name
    return [
        name if record.passed else f"[bold red]{name}[/]",
        f"{record.bytes / 1000:,.0f}",
        f"{record.nodes:,}",
        f"{record.seconds:.0f}",
        f"{parity.max_abs:.1e}" if parity else "",
        f"{parity.flips:.3%}" if parity else "",
        "" if parity is None or parity.snr_db is None else f"{parity.snr_db:.0f}",
        *((f"{accuracy.scores[0]:.4f}", f"{accuracy.difference:+.4f}") if accuracy else ()),
    ]
