"""The contract of an exporter, check by check.

With pytest, for an exporter that an entry point names::

    @pytest.mark.parametrize("check", tinyseg.testing.EXPORTER_CHECKS)
    def test_my_exporter_keeps_the_contract(check):
        check("my-format")

Every check exports a small U-Net by default; ``network=`` names another for a format that does not
take that, with ``arguments=`` of it.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyseg.children import run_child
from tinyseg.errors import ParityError, TinysegError
from tinyseg.exporters.base import Conversion, Details, Exporter, load_exporter, require
from tinyseg.exporters.companions import companions
from tinyseg.exporters.convert import convert
from tinyseg.exporters.export import CALIBRATED, export
from tinyseg.exporters.manifest import contents_of
from tinyseg.exporters.outcome import require_precision
from tinyseg.exporters.own import resolve_own
from tinyseg.exporters.parity import compare
from tinyseg.exporters.runtime import runtime_predictor
from tinyseg.exporters.subject import Subject, resolve
from tinyseg.networks import known
from tinyseg.runs.records import ExportOptions, Precision

#: Called with an exporter's name; raises an `AssertionError` that says what is not kept.
ExporterCheck = Callable[..., None]
#: What a conversion wrote: contents by name.
Files = Mapping[str, bytes]

NETWORK, ARGUMENTS = "unet", {"base_channels": 4, "depth": 2}
CLASSIFIER, CLASSIFIER_ARGUMENTS = "vit", {"width": 16, "depth": 1, "heads": 2}
_SIDE, _OTHER_SIDE, _IMAGES = 32, 48, 4
_WHOLE_SHARE = (0.9, 1.5)  # of the weights: what is folded goes, what is padded comes
_LONGEST_S = 120


def gives_the_networks_logits(name: str, **network: Any) -> None:
    """The file gives what the network gives, in its runtime, within the tolerance of float32."""
    subject = _subject(**network)
    with _file(name, subject) as (exporter, path, details):
        assert details.nodes > 0, f"{name} tells of {details.nodes} operators"
        _same_logits(name, subject, path, exporter)


def takes_several_classes(name: str, **network: Any) -> None:
    """Logits of three classes that compete come out as they are, in the order of the network."""
    subject = _subject(classes=3, **network)
    with _file(name, subject) as (exporter, path, _):
        _same_logits(name, subject, path, exporter)


def takes_whole_pictures(
    name: str,
    *,
    classifier: str | None = CLASSIFIER,
    classifier_arguments: Mapping[str, Any] | None = None,
    **network: Any,
) -> None:
    """Logits of a network that classifies, (1, classes), come out.

    Args:
        name: the exporter's.
        classifier: a network that classifies; None for a format that takes none.
        classifier_arguments: of it.
        network: is for the other checks.
    """
    if classifier is None:
        return
    arguments = classifier_arguments
    if arguments is None and classifier == CLASSIFIER:
        arguments = CLASSIFIER_ARGUMENTS
    subject = resolve(classifier, size=known(classifier).size, classes=5, arguments=arguments)
    with _file(name, subject) as (exporter, path, _):
        _same_logits(name, subject, path, exporter)


def takes_other_pictures(name: str, **network: Any) -> None:
    """Pictures of another size and of one channel."""
    subject = _subject(size=_OTHER_SIDE, in_channels=1, **network)
    with _file(name, subject) as (exporter, path, _):
        _same_logits(name, subject, path, exporter)


def keeps_its_contents(name: str, **network: Any) -> None:
    """What the file says about itself is what was given."""
    subject = _subject(classes=3, **network)
    with _file(name, subject) as (exporter, path, _):
        found = exporter.contents(path)
    expected = contents_of(subject, ExportOptions())
    assert found == expected, f"{name} gives contents {found}, not {expected}"


def tells_what_it_holds(name: str, **network: Any) -> None:
    """In float32 the weights are there, once, and nothing of another type is."""
    subject = _subject(**network)
    weights = sum(4 * each.numel() for each in subject.network().parameters())
    with _file(name, subject) as (exporter, path, _):
        held = exporter.holds(path)
    assert set(held) <= {"float32"}, f"{name} holds {held} in fp32"
    least, most = (share * weights for share in _WHOLE_SHARE)
    found = held.get("float32", 0)
    assert least <= found <= most, f"{name} holds {found} bytes of {weights} of weights"


def keeps_its_precisions(name: str, **network: Any) -> None:
    """A file of each precision holds what it says, and passes the gate of it."""
    subject = _subject(**network)
    precisions = load_exporter(name).precisions
    assert precisions[:1] == ("fp32",), f"{name} has the precisions {precisions}, not fp32 first"
    for precision in precisions[1:]:
        with _file(name, subject, precision) as (exporter, path, _):
            require_precision(f"{name} in {precision}", precision, exporter.holds(path))
            _same_logits(name, subject, path, exporter, precision)


def refuses_in_a_sentence(name: str, **network: Any) -> None:
    """Of a network that makes no sense it says why, or nothing; it does not fall."""
    from torch import nn

    for module in (nn.Identity(), nn.Sequential(), nn.GRU(3, 3)):
        refusal = load_exporter(name).supports(module)
        if refusal is not None:
            assert refusal.strip().endswith((".", "!", "?")), f"{name} refuses by '{refusal}'"
    taken = load_exporter(name).supports(_subject(**network).network())
    assert taken is None, f"{name} refuses the network of its own tests: {taken}"


def runs_pictures_as_they_come(name: str, **network: Any) -> None:
    """A session takes float32 (1, channels, height, width), again and again, by any threads.

    It gives float32 of the same order every time, and memory that no later inference changes.
    """
    subject = _subject(classes=3, **network)
    inputs = _pictures(subject)
    expected = subject.predictor()(inputs)
    with _file(name, subject) as (exporter, path, _):
        for threads in (1, 2):
            answer = _in_a_child(exporter, path, inputs, threads)
            assert answer["type"] == "float32", f"{name} gives {answer['type']}"
            found = np.array(answer["first"], np.float32).reshape(answer["shape"])
            assert found.shape == expected[:1].shape, f"{name} gives logits {found.shape}"
            assert answer["kept"], f"a later inference of {name} changes what an earlier one gave"
            _assert_near(name, expected[:1], found, "fp32")


def survives_a_broken_file(name: str, **network: Any) -> None:
    """A file that is cut short, or holds something else, gives an error and no answer."""
    subject = _subject(**network)
    with _file(name, subject) as (_, path, _):
        whole = path.read_bytes()
        for broken in (whole[: len(whole) // 2], b"no such format" * 100):
            path.write_bytes(broken)
            try:
                found = runtime_predictor(path, name)(_pictures(subject)[:1])
            except TinysegError:
                continue
            raise AssertionError(f"{name} runs a broken file, which gives {found.shape}")


def leaves_nothing_when_it_fails(name: str, **network: Any) -> None:
    """Of a network that decides by the numbers it sees, no file is left that is not one.

    An exporter that cannot follow it says so, and the folder stays empty; a file that is written
    all the same has its manifest, and the ending ``.failed`` unless it does what the network does.
    """
    del network
    subject = resolve_own("tinyseg.testing.branching:Branching", size=_SIDE)
    with tempfile.TemporaryDirectory(prefix="tinyseg-") as folder:
        out = Path(folder, "out")
        try:
            (record,) = export(subject, [name], out=out, evaluate=False)
            expected = Path(record.path).name
        except ParityError:
            expected = f"{subject.name}{load_exporter(name).suffix}.failed"
        except TinysegError as error:
            assert error.message, f"{name} fails without a word"
            expected = None
        found = sorted(each.name for each in out.iterdir()) if out.exists() else []
        assert found == ([expected, f"{expected}.json"] if expected else []), (
            f"{name} leaves {found}, where {expected or 'nothing'} was to be left"
        )


EXPORTER_CHECKS: tuple[ExporterCheck, ...] = (
    gives_the_networks_logits,
    takes_several_classes,
    takes_whole_pictures,
    takes_other_pictures,
    keeps_its_contents,
    tells_what_it_holds,
    keeps_its_precisions,
    refuses_in_a_sentence,
    runs_pictures_as_they_come,
    survives_a_broken_file,
    leaves_nothing_when_it_fails,
)


def _subject(
    network: str = NETWORK,
    arguments: Mapping[str, Any] | None = None,
    *,
    size: int = _SIDE,
    classes: int = 1,
    in_channels: int = 3,
    **others: Any,
) -> Subject:
    del others  # of other checks
    if arguments is None and network == NETWORK:
        arguments = ARGUMENTS
    return resolve(
        network, size=size, classes=classes, in_channels=in_channels, arguments=arguments
    )


def _pictures(subject: Subject) -> NDArray[np.float32]:
    shape = (_IMAGES, *subject.input_shape[1:])
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@contextmanager
def _file(
    name: str, subject: Subject, precision: Precision = "fp32"
) -> Iterator[tuple[Exporter, Path, Details]]:
    """A file of the subject, as the command would have it made; one's own to do anything to."""
    exporter = load_exporter(name)
    files, details = _converted(exporter, subject, precision)
    with tempfile.TemporaryDirectory(prefix="tinyseg-") as folder:
        for file, data in files.items():
            Path(folder, file).write_bytes(data)
        yield exporter, Path(folder, f"file{exporter.suffix}"), details


_kept: dict[str, tuple[Files, Details]] = {}


def _converted(exporter: Exporter, subject: Subject, precision: Precision) -> tuple[Files, Details]:
    """Converts once in this process what several checks look at."""
    key = f"{exporter.name} {precision} {subject}"
    if key not in _kept:
        require(
            exporter, (*exporter.converts_with, *exporter.runs_with), f"A test of {exporter.name}"
        )
        options = ExportOptions(precision=precision)
        drawn = _pictures(subject) if precision in CALIBRATED else None
        conversion = Conversion(contents_of(subject, options), options, drawn)
        with tempfile.TemporaryDirectory(prefix="tinyseg-") as folder:
            path = Path(folder, f"file{exporter.suffix}")
            details = convert(subject, exporter, conversion, path)
            assert path.is_file(), f"{exporter.name} writes no file"
            written = (path, *companions(exporter, path).values())
            _kept[key] = {file.name: file.read_bytes() for file in written}, details
    return _kept[key]


def _same_logits(
    name: str, subject: Subject, path: Path, exporter: Exporter, precision: Precision = "fp32"
) -> None:
    inputs = _pictures(subject)
    expected = subject.predictor()(inputs)
    found = runtime_predictor(path, exporter.name)(inputs)
    _assert_near(name, expected, found, precision)


def _assert_near(
    name: str, expected: NDArray[np.float32], found: NDArray[np.float32], precision: Precision
) -> None:
    assert found.shape == expected.shape, (
        f"{name} gives logits {found.shape}, the network {expected.shape}"
    )
    parity = compare(expected, found, threshold=0.5, precision=precision)
    assert parity.passed, (
        f"logits of {name} in {precision} differ by {parity.logits:.2g} of their range, "
        f"probabilities by {parity.max_abs:.2g}"
    )


def _in_a_child(
    exporter: Exporter, path: Path, inputs: NDArray[np.float32], threads: int
) -> dict[str, Any]:
    saved = path.with_name("inputs.npy")
    np.save(saved, inputs)
    return run_child(
        f"{exporter.runtime}, running {path.name},",
        "tinyseg.testing.running",
        {
            "format": exporter.name,
            "artifact": str(path),
            "inputs": str(saved),
            "threads": threads,
        },
        timeout_s=_LONGEST_S,
    )
