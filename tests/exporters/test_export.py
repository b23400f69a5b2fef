"""What an export leaves: files that run anywhere, say what they are, and do what the run does."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.finished_runs import THRESHOLD, finished_run
from tinyseg.data import open_dataset
from tinyseg.evaluation import decide, dice, probabilities, read_table, score
from tinyseg.exporters.base import load_exporter
from tinyseg.exporters.export import export
from tinyseg.exporters.runtime import runtime_predictor
from tinyseg.exporters.subject import manifest_path, resolve, sha256
from tinyseg.networks import load_network
from tinyseg.runs import Run
from tinyseg.runs.records import ExportDocument, Manifest

RUNS = ("ul-vm-unet-drawn-1", "unet-drawn-1")
FORMATS = ("onnx", "tflite")
EVERY = [(run, format_) for run in RUNS for format_ in FORMATS]

every_file = pytest.mark.parametrize(("run", "format_"), EVERY)


def artifact(folder: Path, run: str, format_: str) -> tuple[Path, Manifest]:
    path = folder / run / "artifacts" / f"{run}.{format_}"
    return path, Manifest.model_validate_json(manifest_path(path).read_bytes())


def onnx_model(folder: Path, run: str):
    import onnx

    return onnx.load(artifact(folder, run, "onnx")[0])


def test_a_run_has_its_files_and_nothing_else(exported_runs):
    for run in RUNS:
        assert sorted(path.name for path in (exported_runs / run / "artifacts").iterdir()) == [
            f"{run}.onnx", f"{run}.onnx.json", f"{run}.tflite", f"{run}.tflite.json",
        ]  # fmt: skip


@every_file
def test_the_manifest_describes_the_file(exported_runs, run, format_):
    path, manifest = artifact(exported_runs, run, format_)
    assert manifest.sha256 == sha256(path)
    assert manifest.artifact.bytes == path.stat().st_size
    assert (manifest.artifact.path, manifest.artifact.format) == (path.name, format_)
    assert manifest.artifact.precision == "fp32"
    assert manifest.scan == {"onnx": "hop2", "tflite": "g8"}[format_]
    assert {"torch", "onnxruntime", "ai-edge-litert"} <= set(manifest.versions)


@every_file
def test_the_file_itself_says_what_its_manifest_says(exported_runs, run, format_):
    path, manifest = artifact(exported_runs, run, format_)
    contents, record = load_exporter(format_).contents(path), Run(exported_runs / run).record
    assert contents == manifest.contents
    assert (contents.run, contents.network) == (run, record.network)
    assert contents.arguments == record.arguments
    assert contents.preprocessing == record.preprocessing
    assert (contents.classes, contents.threshold) == (["tumour"], THRESHOLD)


@every_file
def test_the_command_reports_what_the_manifest_keeps(exported_runs, run, format_):
    document = ExportDocument.model_validate_json((exported_runs / f"{run}.json").read_text())
    path, manifest = artifact(exported_runs, run, format_)
    reported = next(record for record in document.artifacts if record.format == format_)
    assert reported.model_copy(update={"path": path.name}) == manifest.artifact
    assert Path(reported.path) == path


@every_file
def test_parity_and_dice_hold_for_fresh_inferences(exported_runs, run, format_):
    """Done again here from the picture files, by other code than the export's."""
    import torch

    path, manifest = artifact(exported_runs, run, format_)
    record, split = Run(exported_runs / run).record, Run(exported_runs / run).split
    dataset = open_dataset(record.data.source)
    samples = [dataset.read(key) for key in split.test]
    inputs = record.preprocessing([sample.image for sample in samples])
    found = runtime_predictor(path, format_)(inputs)
    with torch.no_grad():
        network = load_network(Run(exported_runs / run)).double()
        expected = network(torch.from_numpy(inputs).double()).numpy()
    assert np.ptp(expected) > 4
    assert np.abs(found - expected).max() < 1e-4

    parity, accuracy = manifest.artifact.parity, manifest.artifact.accuracy
    assert parity is not None
    assert accuracy is not None
    assert (parity.passed, parity.images, parity.flips) == (True, len(split.test), 0)
    assert 0 < parity.max_abs < 1e-5
    assert parity.mean_abs <= parity.max_abs

    labels = decide(probabilities(found), THRESHOLD)
    masks = [record.preprocessing.resize_mask(sample.labels) for sample in samples]
    volumes = {sample.group for sample in samples}
    by_hand = []
    for volume in sorted(volumes):
        rows = [row for row, sample in enumerate(samples) if sample.group == volume]
        mask, label = np.stack([masks[row] for row in rows]), labels[rows]
        by_hand.append(2 * (mask & label).sum() / (mask.sum() + label.sum()))
    assert accuracy.dice == pytest.approx(np.mean(by_hand), abs=1e-9)


@every_file
def test_dice_is_the_runs_to_three_decimals(exported_runs, run, format_):
    accuracy = artifact(exported_runs, run, format_)[1].artifact.accuracy
    evaluation = Run(exported_runs / run).evaluation
    assert accuracy is not None
    assert evaluation is not None
    assert evaluation.dice.per_volume is not None
    assert accuracy.measure == "per_volume"
    assert accuracy.run_dice == pytest.approx(evaluation.dice.per_volume.mean, abs=1e-12)
    assert round(accuracy.dice, 3) == round(accuracy.run_dice, 3)
    assert accuracy.difference == pytest.approx(accuracy.dice - accuracy.run_dice, abs=1e-12)
    assert accuracy.images == evaluation.images


@pytest.mark.parametrize("run", RUNS)
def test_onnx_is_self_contained_and_of_standard_operators(exported_runs, run):
    import onnx

    model = onnx_model(exported_runs, run)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 20)]
    assert artifact(exported_runs, run, "onnx")[1].opset == 20
    assert not model.functions
    assert {node.domain for node in _nodes(model.graph)} == {""}
    assert all(not tensor.external_data for tensor in model.graph.initializer)


@pytest.mark.parametrize("run", RUNS)
def test_onnx_takes_and_gives_what_the_contents_say(exported_runs, run):
    import onnxruntime

    path, manifest = artifact(exported_runs, run, "onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for described, actual in (
        (manifest.contents.input, session.get_inputs()),
        (manifest.contents.output, session.get_outputs()),
    ):
        assert [(tensor.name, tensor.shape) for tensor in actual] == [
            (described.name, described.shape)
        ]


@pytest.mark.parametrize("run", RUNS)
def test_the_count_of_onnx_nodes_has_those_of_scan_bodies(exported_runs, run):
    manifest = artifact(exported_runs, run, "onnx")[1]
    model = onnx_model(exported_runs, run)
    assert manifest.artifact.nodes == len(_nodes(model.graph))
    scans = [node for node in model.graph.node if node.op_type == "Scan"]
    assert len(scans) == {"ul-vm-unet-drawn-1": 6, "unet-drawn-1": 0}[run]
    for scan in scans:
        body = next(attribute.g for attribute in scan.attribute if attribute.name == "body")
        assert {"Mul", "Add"} <= {node.op_type for node in body.node}
        assert "Exp" not in {node.op_type for node in body.node}


@pytest.mark.parametrize("run", RUNS)
def test_onnx_carries_no_traces_of_how_it_was_made(exported_runs, run):
    model = onnx_model(exported_runs, run)
    assert {entry.key for entry in model.metadata_props} == {"tinyseg"}
    assert not any(node.metadata_props or node.doc_string for node in _nodes(model.graph))
    assert str(Path(__file__).parents[2]).encode() not in model.SerializeToString()


@pytest.mark.parametrize("run", RUNS)
def test_tflite_has_built_in_operators_alone(exported_runs, run):
    from ai_edge_litert.schema_py_generated import BuiltinOperator
    from ai_edge_litert.tools.flatbuffer_utils import read_model

    path, manifest = artifact(exported_runs, run, "tflite")
    model = read_model(str(path))
    assert model.operatorCodes
    for code in model.operatorCodes:
        assert code.builtinCode != BuiltinOperator.CUSTOM
        assert code.customCode is None
    assert manifest.artifact.nodes == sum(len(graph.operators) for graph in model.subgraphs)
    assert manifest.opset is None


@pytest.mark.parametrize("run", RUNS)
def test_tflite_takes_and_gives_what_the_contents_say(exported_runs, run):
    from ai_edge_litert.interpreter import Interpreter

    path, manifest = artifact(exported_runs, run, "tflite")
    interpreter = Interpreter(model_path=str(path))
    signature = interpreter.get_signature_runner()
    for described, actual in (
        (manifest.contents.input, signature.get_input_details()),
        (manifest.contents.output, signature.get_output_details()),
    ):
        assert list(actual) == [described.name]
        assert actual[described.name]["shape"].tolist() == described.shape
        assert actual[described.name]["dtype"] is np.float32
    assert path.read_bytes()[4:8] == b"TFL3"


@pytest.mark.parametrize("run", RUNS)
def test_tflite_keeps_its_weights_aligned(exported_runs, run):
    """XNNPACK reads weights in place, which TFLite's schema lets it expect at multiples of 16."""
    from ai_edge_litert.schema_py_generated import Model

    data = artifact(exported_runs, run, "tflite")[0].read_bytes()
    model = Model.GetRootAs(data, 0)
    buffers = [model.Buffers(n) for n in range(model.BuffersLength())]
    weights = [buffer for buffer in buffers if buffer.DataLength()]
    assert len(weights) > 10
    for buffer in weights:
        start = buffer._tab.Vector(buffer._tab.Offset(4))
        assert start % 16 == 0


def test_a_file_without_tinysegs_metadata_is_told(tmp_path):
    import onnx

    from tinyseg.errors import TinysegError

    node = onnx.helper.make_node("Identity", ["a"], ["b"])
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "ab"]
    graph = onnx.helper.make_graph([node], "g", ends[:1], ends[1:])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "foreign.onnx")
    with pytest.raises(TinysegError, match=r"foreign\.onnx was not written by tinyseg"):
        load_exporter("onnx").contents(tmp_path / "foreign.onnx")


def test_real_slices_at_128_px(shared_data, tmp_path):
    """UL-VM-UNet on real volumes: parity and the same Dice."""
    data = tmp_path / "lgg"
    for patient in sorted((shared_data / "lgg-jpeg" / "kaggle_3m").iterdir())[:4]:
        data.mkdir(exist_ok=True)
        (data / patient.name).symlink_to(patient)
    run = finished_run(tmp_path, "ul-vm-unet-lgg-1", str(data), "ul-vm-unet", size=128)
    (record,) = export(resolve(str(run.path)), ["onnx"])
    assert record.parity is not None
    assert record.accuracy is not None
    assert record.parity.passed
    assert record.parity.max_abs < 2e-5
    assert record.accuracy.images == len(run.split.test) > 20
    table = read_table(run.path / "evaluation.csv")
    scores = score(table, dice, groups_are_volumes=True)
    assert scores.per_volume is not None
    assert round(record.accuracy.dice, 3) == round(scores.per_volume.mean, 3)
    assert 0 < record.accuracy.dice < 1


def test_a_second_export_replaces_the_first(runs):
    run = runs / "unet-drawn-1"
    before = json.loads((run / "artifacts" / "unet-drawn-1.onnx.json").read_text())
    (run / "artifacts" / "unet-drawn-1.onnx.failed").touch()
    (run / "artifacts" / "unet-drawn-1.onnx.failed.json").write_text(json.dumps(before))
    (record,) = export(resolve(str(run)), ["onnx"], evaluate=False)
    assert record.accuracy is None
    assert resolve(record.path).manifest is not None
    assert sorted(path.name for path in (run / "artifacts").glob("*onnx*")) == [
        "unet-drawn-1.onnx", "unet-drawn-1.onnx.json",
    ]  # fmt: skip


def _nodes(graph) -> list:
    inner = [a.g for node in graph.node for a in node.attribute if a.HasField("g")]
    return [*graph.node, *(node for each in inner for node in _nodes(each))]
