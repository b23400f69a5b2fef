"""A network of the user's own, by ``--from``: found, looked at, exported; or one sentence."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.command import tinyseg
from tinyseg.errors import TinysegError, UsageError
from tinyseg.exporters import resolve, resolve_own
from tinyseg.runs.records import CountRecord, ExportDocument, ProfileDocument

BOTTLENECK = Path(__file__).parents[1] / "own_networks" / "bottleneck.py"
THEIR_IMPORT, OUR_IMPORT = "from mamba_ssm import Mamba\n", "from tinyseg.mamba_ssm import Mamba\n"
#: Of the network's state_dict where its Mamba is mamba-ssm's.
NAMES = {
    "down.weight": (8, 3, 4, 4), "down.bias": (8,), "tokens.norm.weight": (8,),
    "tokens.norm.bias": (8,), "tokens.mamba.A_log": (16, 8), "tokens.mamba.D": (16,),
    "tokens.mamba.in_proj.weight": (32, 8), "tokens.mamba.conv1d.weight": (16, 1, 4),
    "tokens.mamba.conv1d.bias": (16,), "tokens.mamba.x_proj.weight": (17, 16),
    "tokens.mamba.dt_proj.weight": (16, 1), "tokens.mamba.dt_proj.bias": (16,),
    "tokens.mamba.out_proj.weight": (8, 16), "up.weight": (8, 1, 4, 4), "up.bias": (1,),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    before, path = set(sys.modules), list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("import torch\nfrom torch import nn\n" + text)


def test_as_it_is_the_sentence_says_which_import_to_change(tmp_path):
    shutil.copy(BOTTLENECK, tmp_path)
    done = tinyseg("export", "--from", "bottleneck:build", "--size", "32", cwd=tmp_path)
    assert done.returncode == 1
    assert "bottleneck imports mamba_ssm, which is not installed." in done.stderr
    assert "Change that import: from tinyseg.mamba_ssm import Mamba" in done.stderr
    assert "Traceback" not in done.stderr


def test_with_one_line_changed_it_exports_with_its_trained_weights(tmp_path):
    text = BOTTLENECK.read_text()
    assert text.count(THEIR_IMPORT) == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "network.py").write_text(text.replace(THEIR_IMPORT, OUR_IMPORT))
    torch.manual_seed(3)
    weights = {name: torch.randn(shape) / 2 for name, shape in NAMES.items()}
    torch.save(weights, tmp_path / "mine" / "bottleneck.pth")

    done = tinyseg("export", "--from", "mine.network:build", "--size", "32", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = ExportDocument.model_validate_json(done.stdout)
    assert [(record.format, Path(record.path).name) for record in document.artifacts] == [
        ("onnx", "network-build.onnx"), ("tflite", "network-build.tflite"),
    ]  # fmt: skip
    for record in document.artifacts:
        assert record.parity is not None
        assert record.parity.passed
        subject = resolve(str(tmp_path / record.path))
        assert (subject.network_name, subject.task) == ("mine.network:build", "segmentation")
        assert subject.predictor()(np.zeros((1, 3, 32, 32), np.float32)).shape == (1, 1, 32, 32)
    import onnx

    (held,) = (
        onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load(tmp_path / "network-build.onnx").graph.initializer
        if tuple(tensor.dims) == (8, 3, 4, 4)
    )
    np.testing.assert_array_equal(held, weights["down.weight"].numpy())


def test_it_is_counted_and_profiled_alike(tmp_path):
    (tmp_path / "mine.py").write_text(BOTTLENECK.read_text().replace(THEIR_IMPORT, OUR_IMPORT))
    count = tinyseg("count", "--from", "mine:build", "--input", "1x3x32x32", "--json", cwd=tmp_path)
    record = CountRecord.model_validate_json(count.stdout)
    assert (record.network, record.parameters) == ("mine:build", 1449)
    assert [stage.name for stage in record.stages] == ["down", "tokens", "up"]
    profile = tinyseg(
        "profile", "--from", "mine:build", "--set", "width=4", "--size", "32", "--max-seconds",
        "0.2", "--json", cwd=tmp_path,
    )  # fmt: skip
    (measured,) = ProfileDocument.model_validate_json(profile.stdout).profiles
    assert (measured.runtime, measured.input) == ("torch", [1, 3, 32, 32])
    assert "Next: tinyseg export --from mine:build" in profile.stderr


def test_weights_come_from_the_seed_and_arguments_from_set(folder):
    write(folder, "seeded.py", "def build(width=2): return nn.Conv2d(3, width, 1)\n")
    subjects = [resolve_own("seeded:build", size=8, seed=seed) for seed in (0, 0, 1)]
    first, again, other = (subject.network().weight for subject in subjects)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    wide = resolve_own("seeded:build", size=8, arguments={"width": 5})
    assert wide.classes == ["background", *(f"class {n}" for n in range(1, 5))]


@pytest.mark.parametrize(
    ("head", "task", "classes"),
    [
        ("nn.Conv2d(3, 1, 1)", "segmentation", ["foreground"]),
        ("nn.Conv2d(3, 2, 1)", "segmentation", ["background", "class 1"]),
        (
            "nn.Sequential(nn.Flatten(), nn.Linear(192, 2))",
            "classification",
            ["class 1", "class 2"],
        ),
    ],
)
def test_the_logits_say_what_they_are_for(folder, head, task, classes):
    write(
        folder,
        "headed.py",
        f"class Net(nn.Sequential):\n  def __init__(self): super().__init__({head})\n",
    )
    subject = resolve_own("headed:Net", size=8)
    assert (subject.name, subject.task, list(subject.classes)) == ("headed-Net", task, classes)
    assert resolve_own("headed:Net", size=8, task=task, classes=len(classes)) == subject
    with pytest.raises(UsageError, match=f"those of {task}, not of --task"):
        resolve_own("headed:Net", size=8, task=({"segmentation", "classification"} - {task}).pop())
    with pytest.raises(UsageError, match=rf"of {len(classes)} classes, not 7"):
        resolve_own("headed:Net", size=8, classes=7)


BROKEN = """
NETWORK = nn.Conv2d(3, 1, 1)
NUMBER = 7
class Picked(nn.Conv2d):
    def forward(self, x): return self.pick(super().forward(x))
def picked(pick):
    network = Picked(3, 1, 1)
    network.pick = pick
    return network
def right(): return nn.Conv2d(3, 1, 1)
def nothing(): nn.Conv2d(3, 1, 1)
def word(): return "unet"
def bare(): return nn.ReLU()
def falls(): raise ValueError("no such backbone: xx")
def lazy(): import causal_conv1d
def wide(width): return nn.Conv2d(3, width, 1)
def several(): return picked(lambda x: (x, x))
def argmax(): return picked(lambda x: x.argmax(1))
def small(): return nn.Conv2d(3, 1, 2, stride=2)
def pooled(): return picked(lambda x: x.mean(1))
def four(): return nn.Conv2d(4, 1, 1)
"""


@pytest.mark.parametrize(
    ("path", "kind", "sentence"),
    [
        ("broken", UsageError, "'broken' should be MODULE:NAME .* mypackage.mymodule:build"),
        ("broken:a b", UsageError, "should be MODULE:NAME"),
        ("absent:build", UsageError, "no module 'absent', neither in this folder nor installed"),
        ("json.absent:build", UsageError, "no module 'json.absent'.* no 'json.absent'"),
        ("broken:rihgt", UsageError, r"broken \(.*broken\.py\) has no 'rihgt'\. Did .*:right"),
        ("broken:NETWORK", TinysegError, "is a network, not what builds one. .*return NETWORK"),
        ("broken:NUMBER", TinysegError, "an object of type int, which cannot be called"),
        ("broken:nothing", TinysegError, "returned nothing, not a network"),
        ("broken:word", TinysegError, "returned an object of type str, not a network"),
        ("broken:bare", TinysegError, "has no parameters"),
        ("broken:falls", TinysegError, "falls failed: ValueError: no such backbone: xx. Add"),
        ("broken:lazy", TinysegError, "imports causal_conv1d, .* from tinyseg.mamba_ssm import"),
        ("broken:wide", UsageError, "missing a required argument: 'width'.* takes width; .*--set"),
        ("broken:several", TinysegError, "gives tuple where one tensor of logits is wanted"),
        ("broken:argmax", TinysegError, "gives torch.int64 where one tensor of logits"),
        ("broken:small", TinysegError, "logits of 4x4 for a picture of 8x8. Resize them"),
        ("broken:pooled", TinysegError, r"logits of the shape \(1, 8, 8\)\. They should be"),
        ("broken:four", TinysegError, "on an input of 1x3x8x8: RuntimeError.* --in-channels"),
        ("torn:build", TinysegError, "torn cannot be imported: SyntaxError"),
        ("script:build", TinysegError, "script cannot be imported: SystemExit: 2"),
        ("needs:build", TinysegError, "needs imports no_such_package, which is not installed"),
        ("built:build", TinysegError, "cannot be imported: ImportError.* from tinyseg.mamba_ssm"),
    ],
)  # fmt: skip
def test_what_is_wrong_gets_one_sentence(folder, path, kind, sentence):
    write(folder, "broken.py", BROKEN)
    write(folder, "torn.py", "def build(:\n")
    write(folder, "script.py", "raise SystemExit(2)\n")
    write(folder, "needs.py", "import no_such_package\n")
    write(folder, "built.py", "raise ImportError('selective_scan_cuda.so: undefined symbol')\n")
    with pytest.raises(TinysegError, match=sentence) as caught:
        resolve_own(path, size=8)
    assert type(caught.value) is kind


def test_an_argument_it_does_not_take_is_told(folder):
    write(folder, "plain.py", "def build(): return nn.Conv2d(3, 1, 1)\n")
    with pytest.raises(UsageError, match=r"unexpected keyword argument 'width'.* It takes none"):
        resolve_own("plain:build", arguments={"width": 3})


def test_a_folder_shadows_no_library_of_tinysegs(tmp_path):
    """Later imports find what is installed; what the module itself imports lies beside it."""
    write(tmp_path, "safetensors.py", "raise ImportError('the wrong safetensors')\n")
    write(tmp_path, "parts.py", "width = 2\n")
    write(tmp_path, "near.py", "import parts\ndef build(): return nn.Conv2d(3, parts.width, 1)\n")
    program = (
        "import tinyseg.exporters as exporters, pathlib\n"
        "subject = exporters.resolve_own('near:build', size=8)\n"
        "subject.save_weights(pathlib.Path('weights'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "weights").is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("export",), "There is nothing to work on. Mend: Name a run or a network, or your own by"),
        (("export", "unet", "--from", "a:b"), "unet and --from a:b are two networks"),
        (("profile", "unet", "--task", "segmentation"), "unet has a task of its own"),
        (("count", "--from", "a:b", "--classes", "2"), "a:b has its own classes"),
        (("export", "--from", "a.b", "--set", "c=1"), "'a.b' should be MODULE:NAME"),
        (("count",), "There is nothing to work on"),
        (("export", "--from", "a.b:c"), "There is no module 'a.b'"),
    ],
)
def test_options_that_cannot_be_meant(tmp_path, arguments, sentence):
    done = tinyseg(*arguments, cwd=tmp_path)
    assert sentence in " ".join(done.stderr.split())
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (2, "", [])


def test_json_stays_one_document_whatever_the_network_prints(tmp_path):
    write(
        tmp_path,
        "loud.py",
        "print('loaded')\ndef build():\n  print('hello')\n  return nn.Conv2d(3, 1, 1)\n",
    )
    done = tinyseg("count", "--from", "loud:build", "--input", "1x3x8x8", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["network"] == "loud:build"
    assert "hello" in done.stderr
