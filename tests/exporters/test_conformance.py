"""Every registered exporter keeps the contract that `tinyseg.testing` ships."""

from importlib.util import find_spec

import pytest

from tinyseg import plugins, testing
from tinyseg.exporters.base import load_exporter
from tinyseg.exporters.outcome import StageError
from tinyseg.testing import EXPORTER_CHECKS
from tinyseg.testing import exporters as checks

ONE_LAYER = {"network": "one-layer", "classifier": None}

every_check = pytest.mark.parametrize("check", EXPORTER_CHECKS, ids=lambda check: check.__name__)


@every_check
@pytest.mark.parametrize("name", plugins.names("exporters"))
def test_registered_exporters_keep_the_contract(name: str, check: testing.ExporterCheck):
    exporter = load_exporter(name)
    needed = (*exporter.converts_with, *exporter.runs_with)
    missing = [package for package in needed if find_spec(package) is None]
    if missing:
        pytest.skip(f"{name} needs {', '.join(missing)}: pip install 'tinyseg[{exporter.extra}]'")
    check(name)


@every_check
def test_somebody_elses_exporter_keeps_it(third_party, check):
    check("npz-file", **ONE_LAYER)


@pytest.mark.parametrize(
    ("name", "check", "sentence"),
    [
        ("npz-wrong", checks.gives_the_networks_logits, "npz-wrong in fp32 differ by 0.0"),
        ("npz-careless", checks.runs_pictures_as_they_come, "a later inference of npz-careless"),
    ],
)
def test_one_that_does_not_keep_it_is_told(third_party, name, check, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check(name, **ONE_LAYER)


def test_what_is_told_of_files_is_checked(third_party, monkeypatch):
    kind = type(load_exporter("npz-file"))

    def fails(method, given, check, sentence):
        with monkeypatch.context() as patched:
            patched.setattr(kind, method, lambda *_: given)
            with pytest.raises(AssertionError, match=sentence):
                check("npz-file", **ONE_LAYER)

    fails("holds", {"float32": 3}, checks.tells_what_it_holds, "holds 3 bytes of 16 of weights")
    fails("holds", {"int8": 16}, checks.tells_what_it_holds, "holds {'int8': 16} in fp32")
    fails("contents", None, checks.keeps_its_contents, "gives contents None, not")
    fails("supports", "no", checks.refuses_in_a_sentence, "refuses by 'no'")
    fails("supports", "No.", checks.refuses_in_a_sentence, "refuses the network of its own tests")


def test_precisions_are_held_to_their_gates(third_party, monkeypatch):
    kind = type(load_exporter("npz-file"))
    monkeypatch.setattr(kind, "precisions", ("int8",))
    with pytest.raises(AssertionError, match="not fp32 first"):
        checks.keeps_its_precisions("npz-file", **ONE_LAYER)
    monkeypatch.setattr(kind, "precisions", ("fp32", "int8"))
    with pytest.raises(StageError, match="contents") as caught:
        checks.keeps_its_precisions("npz-file", **ONE_LAYER)
    assert "int8 was asked for, and the weights are float32: no int8" in caught.value.reason
