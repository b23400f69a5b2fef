"""Inputs and circumstances under which scans have been known to go wrong."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.scan.drawing import assert_exact, draw, outcome, truth
from tinyseg.scan.backend import Kernel
from tinyseg.scan.chunked import Chunked
from tinyseg.scan.reference import reference_scan
from tinyseg.scan.sequence import scan_in_form


def test_an_input_that_dies_out_stays_right(backend):
    """Then states decay into denormal numbers."""
    arguments = draw(4, 600, 16, 16, options=("D", "z"), steps=(0.05, 0.5))
    arguments.x[:, 64:] = 0
    assert_exact(backend.scan, arguments, absolute=1e-12)


#: In a process of its own: a training sets the flag for the rest of one, in all its threads.
LEFT = """
import sys, torch
from tests.scan.drawing import draw, outcome
from tinyseg.scan import BACKENDS

torch.set_num_threads(2)
outcome(BACKENDS[sys.argv[1]].scan, draw(8, 100, 32, 16))
denormal = torch.full((200_000,), 1e-40) * torch.tensor(1.0)  # many enough for every thread
print(int(torch.count_nonzero(denormal)))
"""


def test_denormal_numbers_are_left_to_others(backend):
    """A kernel may flush them for itself; the flag of its threads is set back."""
    done = subprocess.run(
        [sys.executable, "-c", LEFT, backend.name],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "200000\n", done.stderr


def test_second_derivatives_are_refused(backend):
    if not isinstance(backend, Kernel):
        pytest.skip(f"{backend.name} has second derivatives")
    arguments = draw()
    x = arguments.x.requires_grad_()
    y = backend.scan(arguments)[0]
    (first,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_inputs_are_not_changed(backend):
    arguments = draw(3, 70, 12, 16)
    before = [tensor.clone() for tensor in arguments.tensors]
    versions = [tensor._version for tensor in arguments.tensors]
    outcome(backend.scan, arguments)
    assert all(map(torch.equal, before, arguments.tensors))
    assert versions == [tensor._version for tensor in arguments.tensors]


def test_a_backward_can_be_repeated_after_other_scans(backend):
    """What is saved for it is not in a buffer that the next scan takes."""
    arguments = draw(3, 200, 12, 16)
    x = arguments.x.requires_grad_()
    y = backend.scan(arguments)[0]
    value = y.detach().clone()
    (first,) = torch.autograd.grad(y.square().sum(), x, retain_graph=True)
    outcome(backend.scan, draw(3, 200, 12, 16, options=("z",), steps=(0.5, 2)))
    (second,) = torch.autograd.grad(y.square().sum(), x)
    assert torch.equal(first, second)
    assert torch.equal(y, value)


def test_a_change_between_forward_and_backward_is_noticed(backend):
    arguments = draw()
    arguments.x.requires_grad_()
    y = backend.scan(arguments)[0]
    arguments.C.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_results_share_no_memory(backend):
    arguments = draw(2, 20, 12, 16)
    y, last = backend.scan(arguments)
    taken = {tensor.untyped_storage().data_ptr() for tensor in (*arguments.tensors, last)}
    assert y.untyped_storage().data_ptr() not in taken


def test_padding_with_steps_of_zero_holds_the_state(backend):
    arguments = draw(2, 37, 12, 16, options=("D",))
    padded = arguments._replace(
        **{
            name: torch.nn.functional.pad(getattr(arguments, name), (0, 0, 0, 27))
            for name in ("x", "delta", "B", "C")
        }
    )
    (y, last), (long, held) = backend.scan(arguments), backend.scan(padded)
    torch.testing.assert_close(long[:, :37], y, rtol=0, atol=1e-6 * y.abs().max().item())
    torch.testing.assert_close(held, last, rtol=0, atol=1e-6 * last.abs().max().item())
    assert not long[:, 37:].any()


def test_a_step_of_zero_holds_the_state_exactly(backend):
    """exp(0) is 1, not nearly: over 16384 steps a last digit would show."""
    arguments = draw(1, 16_384, 3, 16, options=())
    arguments.delta[:, 1:] = 0
    one = arguments._replace(
        **{name: getattr(arguments, name)[:, :1] for name in ("x", "delta", "B", "C")}
    )
    assert torch.equal(backend.scan(arguments)[1], backend.scan(one)[1])


def test_steps_below_zero_let_the_state_grow(backend):
    arguments = draw(2, 40, 12, 16, options=())
    assert_exact(backend.scan, arguments._replace(delta=-arguments.delta / 20))


@pytest.mark.parametrize("step", [1e3, 1e30])
def test_huge_steps_forget_the_past(backend, step):
    arguments = draw(2, 40, 12, 16, options=("D",))
    arguments.delta[:, 20] = step
    found = backend.scan(arguments)[0]
    expected = truth(arguments)["y"]
    error = (found - expected).abs().amax((0, 2))
    assert (error <= 1e-6 * expected.abs().amax((0, 2))).all()


def test_what_is_not_a_number_stays_in_its_channel(backend):
    arguments = draw(2, 40, 20, 16)
    clean = backend.scan(arguments)[0]
    arguments.x[1, 10, 3] = float("nan")
    found = backend.scan(arguments)[0]
    touched = torch.zeros_like(found, dtype=torch.bool)
    touched[1, 10:, 3] = True
    assert torch.equal(found.isnan(), touched)
    assert torch.equal(found[~touched], clean[~touched])


@pytest.mark.parametrize("infinite", [float("inf"), -float("inf")], ids=str)
def test_infinite_steps_do_what_the_loop_does(backend, infinite):
    arguments = draw(2, 40, 20, 16, options=("D",))
    arguments.delta[0, 12, 5] = infinite
    found, expected = backend.scan(arguments)[0], reference_scan(arguments)[0]
    assert torch.equal(found.isnan(), expected.isnan())
    assert expected.isnan().any()
    assert_close_where_finite(found, expected)


def assert_close_where_finite(found: Tensor, expected: Tensor) -> None:
    finite = expected.isfinite()
    error = (found[finite] - expected[finite]).abs().max()
    assert error <= 1e-6 * expected[finite].abs().max()


def test_large_values_before_softplus_pass_unchanged(backend):
    arguments = draw(2, 30, 12, 16, options=("softplus",))
    arguments.delta[:, ::2] = 60.0
    arguments.delta[:, 1::3] = -60.0
    assert_exact(backend.scan, arguments)


def test_a_closed_or_wide_open_gate(backend):
    arguments = draw(2, 30, 12, 16)
    arguments.z[:, ::2] = -200.0
    arguments.z[:, 1::3] = 200.0
    assert_exact(backend.scan, arguments)


def test_the_number_of_threads_may_change_between_calls(backend, threads):
    arguments = draw(5, 300, 40, 16)
    found = []
    for number in (1, 2, 3, 1):
        torch.set_num_threads(number)
        found.append(outcome(backend.scan, arguments))
    for name, first in found[0].items():
        for other in found[1:]:
            allowed = 1e-6 * first.abs().max().item()
            torch.testing.assert_close(other[name], first, rtol=0, atol=allowed, msg=name)
        assert torch.equal(first, found[-1][name]), name


def test_no_kernel_runs_under_autocast(monkeypatch):
    """Forward, backward, and both inside the operator."""
    seen = []
    for name in ("forward", "backward"):
        original = getattr(Chunked, name)

        def watched(self, *given, original=original, **named):
            seen.append(torch.is_autocast_enabled("cpu"))
            return original(self, *given, **named)

        monkeypatch.setattr(Chunked, name, watched)
    operator = torch.ops.tinyseg.selective_scan.default
    with torch.autocast("cpu", torch.bfloat16):
        outcome(lambda arguments: scan_in_form(arguments, "chunked"), draw())
        outcome(lambda arguments: operator(*arguments, "chunked", True, "")[:2], draw())
    assert seen == [False] * 4


def test_inference_mode_is_taken(backend):
    arguments = draw(2, 30, 12, 16)
    expected = backend.scan(arguments)[0]
    with torch.inference_mode():
        assert torch.equal(backend.scan(arguments)[0], expected)
