"""Run folders for the tests of comparison, made of real records."""

from pathlib import Path
from typing import Any

import numpy as np

from tinyseg.data import Preprocessing
from tinyseg.evaluation import ImageCounts, dice, iou, score, write_table
from tinyseg.runs import Run
from tinyseg.runs.records import (
    ArtifactRecord,
    Contents,
    CountRecord,
    DataUsed,
    DiceKept,
    Latency,
    Machine,
    Macs,
    Manifest,
    Memory,
    Noise,
    Parity,
    ProfileDocument,
    ProfileRecord,
    Protocol,
    RunRecord,
    SegmentationEvaluation,
    SplitRecord,
    Tensor,
)  # fmt: skip

MACHINE = Machine(system="Linux", processor="Tester", cores=2, memory_bytes=8, python="3.11")
KEYS = [f"{patient}-{number}" for patient in "abcdef" for number in range(3)]
PREPROCESSING = Preprocessing(size=128, mean=(0.5,) * 3, std=(0.5,) * 3)


def make_run(root: Path, name: str, parameters: int, **changes: Any) -> Run:
    """A run that was trained and nothing else; ``changes`` are of its record, protocol or data."""
    run = Run.create(root, name, name)
    protocol = {key: changes.pop(key) for key in ("split", "seed") if key in changes}
    data = {key: changes.pop(key) for key in ("source", "groups_are_volumes") if key in changes}
    given: dict[str, Any] = {
        "state": "finished", "network": name.rpartition("-")[0], "arguments": {},
        "parameters": parameters, "preprocessing": PREPROCESSING, "command": "tinyseg train",
        "versions": {}, "machine": MACHINE, "started": "2025-01-01T00:00:00+00:00",
        "epochs_done": 30,
        "protocol": Protocol(**protocol),
        "data": DataUsed(
            **{
                "kind": "phantom", "source": "phantom", "images": 60, "groups": 20,
                "groups_are_volumes": True, "classes": ["tumour"], "channels": 3,
            } | data
        ),
    }  # fmt: skip
    run.write("run.json", RunRecord(**given | changes))
    return run


def evaluated(run: Run, found: float, keys: list[str] = KEYS, seed: int = 0) -> Run:
    """Adds an evaluation in which about a share ``found`` of each mask of 1000 px was found."""
    noise = np.random.default_rng(seed).normal(0, 0.05, len(keys))
    tp = (1000 * np.clip(found + noise, 0, 1)).astype(np.int64)
    table = ImageCounts(keys, [key[0] for key in keys], tp[None], 1000 - tp[None], 1000 - tp[None])
    volumes = run.record.data.groups_are_volumes
    write_table(run.path / "evaluation.csv", table)
    record = SegmentationEvaluation(
        subject=run.name, split="test", data="phantom", size=128, threshold=0.5,
        images=len(keys), groups=len(set(table.groups)),
        dice=score(table, dice, groups_are_volumes=volumes),
        iou=score(table, iou, groups_are_volumes=volumes), baselines={}, per_class=[],
    )  # fmt: skip
    run.write("evaluation.json", record)
    run.write(
        "split.json",
        SplitRecord(
            by="patient", seed=0, validation_share=0.1, test_share=0.3, train=["x"],
            validation=["y"], test=keys,
        ),
    )  # fmt: skip
    return run


def counted(run: Run, macs: int) -> Run:
    """Adds a count."""
    count = CountRecord(
        network="unet", arguments={}, input=(1, 3, 128, 128), parameters=1, unused_parameters=0,
        macs=Macs(fvcore=macs, scan=0, total=macs), flops=2 * macs, stages=[], uncounted={},
    )  # fmt: skip
    run.write("count.json", count)
    return run


def exported(run: Run, format_: str, *, passed: bool = True, created: str = "2025-01-02") -> Run:
    """Adds a manifest of an artifact of 250 kB that passed parity or failed it."""
    name = f"{run.name}.{format_}" + ("" if passed else ".failed")
    parity = Parity(
        max_abs=0.1, mean_abs=0.1, flips=0.1, logits=0.1, images=1, tolerance=0.001, passed=passed
    )  # fmt: skip
    accuracy = DiceKept(
        measure="per_volume", dice=0.7, run_dice=0.7, difference=0, ci95=None, images=18
    )
    tensor = Tensor(name="image", shape=[1], dtype="float32", layout="NCHW", meaning="")
    manifest = Manifest(
        artifact=ArtifactRecord(
            path=name, format=format_, precision="fp32", bytes=250_000, nodes=9, seconds=1,
            parity=parity, accuracy=accuracy,
        ),
        sha256="", scan="hop2", opset=None, versions={}, created=created,
        contents=Contents(
            tinyseg="", network="unet", arguments={}, run=run.name, input=tensor, output=tensor,
            preprocessing=PREPROCESSING, classes=["tumour"], threshold=0.5,
        ),
    )  # fmt: skip
    run.write(f"artifacts/{name}.json", manifest)
    return run


def profiled(run: Run, runtime: str, artifact: str, p50: float, **changes: Any) -> Run:
    """Adds a profile with a rise of 12.5 MB."""
    threads = changes.get("threads", 1)
    given: dict[str, Any] = {
        "device": "cpu", "runtime": runtime, "artifact": artifact, "precision": "fp32",
        "threads": 1, "batch": 1, "input": [1, 3, 128, 128], "cold_start_ms": 9, "throughput": 9,
        "latency_ms": Latency(p50=p50, p90=9, p95=9, p99=9, mean=9, std=1, p50_ci95=(8, 10)),
        "memory": Memory(
            artifact_bytes=1, arena_bytes=None, baseline_bytes=1, peak_bytes=1,
            rise_bytes=12_500_000,
        ),
        "energy_j": None, "trusted": True, "machine": MACHINE, "samples_ms": [], "versions": {},
        "noise": Noise(relative_iqr=0.1, load_average=None, reasons=[]),
    }  # fmt: skip
    document = ProfileDocument(profiles=[ProfileRecord(**given | changes)])
    run.write(f"profiles/cpu-{runtime}-fp32-t{threads}.json", document)
    return run
