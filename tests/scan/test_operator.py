"""Whoever compiles, exports or traces a scan sees one operator, with a backward of its own."""

import shutil
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from tests.scan.conftest import HERE
from tests.scan.drawing import draw
from tinyseg import __version__
from tinyseg.errors import TinysegError
from tinyseg.layers.mamba import Mamba
from tinyseg.scan import BACKENDS, scan_form, scan_sequence
from tinyseg.scan.backend import Kernel
from tinyseg.scan.chunked import Chunked

OPERATOR = torch.ops.tinyseg.selective_scan.default
BACKWARD = torch.ops.tinyseg.selective_scan_backward.default
KERNELS = [name for name in HERE if isinstance(BACKENDS[name], Kernel)]
every_kernel = pytest.mark.parametrize("kernel", KERNELS)


@pytest.fixture(autouse=True)
def no_graphs_of_before(monkeypatch, tmp_path):
    """Neither from memory nor from the compiler's folder."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()


def operator_arguments(kernel="auto", keep_starts=True, **options) -> tuple:
    return *draw(2, 20, 12, 16, **options), kernel, keep_starts, ""


def training_step(layer: Mamba, call, tokens: Tensor) -> list[Tensor]:
    layer.zero_grad()
    tokens = tokens.clone().requires_grad_()
    call(tokens).square().sum().backward()
    return [tokens.grad, *(parameter.grad.clone() for parameter in layer.parameters())]


@pytest.mark.parametrize("compiler", ["aot_eager", "inductor"])
def test_training_through_a_compiled_layer_gives_equal_gradients(compiler):
    if compiler == "inductor" and not shutil.which("g++"):
        pytest.skip("inductor needs a C++ compiler")
    layer, tokens = Mamba(8), torch.randn(2, 20, 8)
    compiled = torch.compile(layer, fullgraph=True, backend=compiler)
    expected = training_step(layer, layer, tokens)
    found = training_step(layer, compiled, tokens)
    torch.testing.assert_close(found, expected)


def test_a_compiled_layer_takes_other_lengths():
    layer = Mamba(8)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=True)
    for length in (20, 33, 50):
        tokens = torch.randn(2, length, 8)
        expected = training_step(layer, layer, tokens)
        torch.testing.assert_close(training_step(layer, compiled, tokens), expected)


def test_a_compiled_scan_is_one_operator():
    graphs = []

    def keep(graph, inputs):
        graphs.append([node.target for node in graph.graph.nodes])
        return graph

    scan = torch.compile(scan_sequence, fullgraph=True, backend=keep)
    arguments = draw()
    y = scan(*arguments.tensors, True)
    assert [target for nodes in graphs for target in nodes].count(OPERATOR) == 1
    torch.testing.assert_close(y, scan_sequence(*arguments.tensors, True))


@every_kernel
@pytest.mark.parametrize("options", [(), ("D",), ("z", "softplus"), ("delta_bias",)], ids=str)
def test_arguments_may_be_missing_in_a_compiled_scan(kernel, options):
    tensors = [None if t is None else t.requires_grad_() for t in draw(options=options).tensors]
    leaves = [tensor for tensor in tensors if tensor is not None]
    compiled = torch.compile(scan_sequence, fullgraph=True, backend="aot_eager")
    softplus = "softplus" in options
    found, expected = (
        torch.autograd.grad(scan(*tensors, softplus, backend=kernel).square().sum(), leaves)
        for scan in (compiled, scan_sequence)
    )
    assert all(map(torch.equal, found, expected))


def test_a_compiled_scan_follows_the_form():
    compiled = torch.compile(scan_sequence, fullgraph=True, backend="aot_eager")
    tensors = draw(length=16, options=()).tensors
    expected = scan_sequence(*tensors)
    for form in ("eager", "g8", "eager"):
        with scan_form(form):
            torch.testing.assert_close(compiled(*tensors), expected)


def test_a_compiled_reference_and_constant_coefficients_are_traced():
    compiled = torch.compile(scan_sequence, fullgraph=True, backend="aot_eager")
    arguments = draw(length=5, options=())
    constant = arguments._replace(B=torch.randn(5, 4))
    for tensors, backend in ((arguments.tensors, "reference"), (constant.tensors, "auto")):
        expected = scan_sequence(*tensors, backend="reference")
        torch.testing.assert_close(compiled(*tensors, backend=backend), expected)


def test_second_derivatives_of_the_operator_are_refused():
    arguments = draw()
    x = arguments.x.requires_grad_()
    y = OPERATOR(*arguments, "auto", True, "")[0]
    (first,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no autograd formula"):
        first.sum().backward()


@every_kernel
@pytest.mark.parametrize("length", [1, 37])
def test_the_operator_passes_the_checks_of_torch(kernel, length):
    arguments = draw(2, length, 5, 4)
    for tensor in arguments.tensors:
        tensor.requires_grad_()
    torch.library.opcheck(OPERATOR, (*arguments, kernel, True, ""))


@every_kernel
def test_strides_and_missing_arguments_pass_the_checks_too(kernel):
    arguments = draw(3, 20, 17, 16, options=("z",))
    swapped = {
        name: getattr(arguments, name).transpose(1, 2).contiguous().transpose(1, 2)
        for name in ("x", "delta", "B", "C", "z")
    }
    arguments = arguments._replace(**swapped)
    torch.library.opcheck(OPERATOR, (*arguments, kernel, False, ""))
    for tensor in swapped.values():
        tensor.requires_grad_()
    torch.library.opcheck(OPERATOR, (*arguments, kernel, True, ""))


@every_kernel
def test_states_are_kept_for_a_backward_alone(kernel):
    *_, starts = OPERATOR(*operator_arguments(kernel, keep_starts=False))
    assert starts.numel() == 0
    layer, tokens = Mamba(8), torch.randn(2, 20, 8)
    kept = {}
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            nodes = torch.export.export(layer, (tokens,)).graph.nodes
        (kept[grad],) = (node.args[11] for node in nodes if node.target == OPERATOR)
    assert kept == {True: True, False: False}


def test_a_graph_says_what_it_was_made_with(monkeypatch):
    """Compilers keep graphs on disk: one of another installation is not to be taken for ours."""

    def made_with() -> str:
        nodes = torch.export.export(Mamba(8), (torch.randn(1, 4, 8),)).graph.nodes
        (found,) = (node.args[12] for node in nodes if node.target == OPERATOR)
        return found

    before = made_with()
    assert before.startswith(f"{__version__} ")
    assert " chunked" in before
    monkeypatch.setattr(Chunked, "unavailable", lambda _: "it is away")
    assert made_with() == before.replace(" chunked", "")


def test_states_of_another_kernel_are_refused():
    arguments = draw(2, 20, 12, 16)
    y, _, starts = OPERATOR(*arguments, "chunked", True, "")
    with pytest.raises(TinysegError, match=r"states kept .* 'chunked', \(.*\), not \(7,\)"):
        BACKWARD(*arguments, "chunked", starts.new_zeros(7), y)


def test_the_operator_looks_at_what_it_is_given():
    arguments = draw()
    with pytest.raises(TinysegError, match="B should have the shape"):
        OPERATOR(*arguments._replace(B=arguments.B[:, 1:]), "auto", False, "")


PROGRAM = """
import sys, torch
import tinyseg.scan
program = torch.export.load(sys.argv[1])
tokens, expected = torch.load(sys.argv[2])
found = program.module()(tokens)
torch.testing.assert_close(found, expected)
found.sum().backward()
print([str(n.target) for n in program.graph.nodes].count("tinyseg.selective_scan.default"))
"""


def test_an_exported_program_runs_in_a_fresh_process(tmp_path):
    layer, tokens = Mamba(8), torch.randn(2, 20, 8)
    program = torch.export.export(layer, (tokens,))
    torch.export.save(program, tmp_path / "layer.pt2")
    torch.save((tokens, layer(tokens).detach()), tmp_path / "values.pt")
    command = [sys.executable, "-c", PROGRAM, tmp_path / "layer.pt2", tmp_path / "values.pt"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1"


def test_a_program_that_names_a_missing_backend_says_so():
    with pytest.raises(TinysegError, match="No scan backend is called 'gone'"):
        OPERATOR(*operator_arguments("gone"))
    with pytest.raises(TinysegError, match="backend 'reference' cannot run inside a traced"):
        OPERATOR(*operator_arguments("reference"))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_traced_layer_computes_new_inputs():
    """A trace of a kernel alone would hold the memory it wrote to, and no computation."""
    layer = Mamba(8)
    with torch.no_grad():
        traced = torch.jit.trace(layer, torch.randn(2, 20, 8), check_trace=False)
        tokens = torch.randn(2, 20, 8)
        torch.testing.assert_close(traced(tokens), layer(tokens))


def test_shapes_are_known_without_values():
    shapes = [None if t is None else t.to("meta") for t in draw().tensors]
    assert scan_sequence(*shapes).shape == draw().x.shape
