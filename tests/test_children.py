"""Children answer with their last line; whatever else becomes of them becomes one sentence."""

import os
import time
import traceback

import psutil
import pytest

from tinyseg.children import run_child
from tinyseg.errors import ChildError


@pytest.fixture
def child(tmp_path):
    """Runs a program text as a child that "The test" speaks of."""

    def run(text: str, *, timeout_s: float = 60, **request: object):
        program = tmp_path / "program.py"
        program.write_text(text)
        return run_child("The test", program, request, timeout_s=timeout_s)

    return run


def test_the_request_comes_in_and_the_answer_out(child):
    doubled = "import json, sys; r = json.load(sys.stdin); print(json.dumps({'twice': 2 * r['n']}))"
    assert child(doubled, n=21) == {"twice": 42}


def test_chatter_before_the_answer_is_no_answer(child):
    chatter = """
import sys
from tinyseg.children import serve
print("Converting ...", end="\\r")
print('{"not": "this"}')
print("a warning", file=sys.stderr)
serve({"answer": "ä"})
"""
    assert child(chatter) == {"answer": "ä"}


def test_more_output_than_a_pipe_holds_blocks_nobody(child):
    much = "import sys\nfor s in (sys.stdout, sys.stderr): s.write('x' * 1_000_000 + '\\n')\n"
    assert child(much + "print('{}')") == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by signal SIGSEGV"),
        ("import os; os.abort()", "ended by signal SIGABRT"),
        ("print('working'); raise SystemExit(7)", "failed with exit code 7: working"),
        ("print('{} and more')", "ended without an answer: {} and more"),
        ("print('[1, 2]')", "ended without an answer"),
        ("pass", "ended without an answer: it said nothing."),
    ],
)
def test_a_bad_end_is_told(child, text, sentence):
    with pytest.raises(ChildError) as caught:
        child(text)
    assert caught.value.message.startswith("The test ")
    assert sentence in caught.value.message
    assert caught.value.exit_code == 1


def test_the_last_exception_is_named_not_what_comes_after_it(child):
    chained = """
import sys
class OddError(Exception): pass
sys.excepthook = lambda *e: (sys.__excepthook__(*e), print("cleaning up", file=sys.stderr))
try:
    {}["first"]
except KeyError:
    raise OddError("the size\\nis odd")
"""
    with pytest.raises(ChildError, match=r"exit code 1: OddError: the size$") as caught:
        child(chained)
    shown = "".join(traceback.format_exception(caught.value))
    assert "KeyError: 'first'" in shown
    assert "cleaning up" in shown


def test_colours_stay_behind(child):
    coloured = r"raise ValueError('\033[96mred\033[0m and blue')"
    with pytest.raises(ChildError, match=r"ValueError: red and blue$"):
        child(coloured)


def test_long_last_words_are_cut(child):
    with pytest.raises(ChildError) as caught:
        child("raise ValueError('x' * 10_000)")
    assert len(caught.value.message) < 500


def test_a_timeout_kills_the_whole_group(child, tmp_path):
    """The child and its own child, which ignores every signal that it may ignore."""
    pids = tmp_path / "pids"
    stubborn = f"""
import os, signal, subprocess, sys, time
ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
inner = subprocess.Popen([sys.executable, "-c", ignore])
print("started", flush=True)
open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{inner.pid}}")
time.sleep(600)
"""
    with pytest.raises(ChildError, match=r"The test was stopped after 4 s\.") as caught:
        child(stubborn, timeout_s=4)
    assert "started" in str(caught.value.__cause__)
    for pid in map(int, pids.read_text().split()):
        assert not _alive(pid)


def test_what_a_child_leaves_running_ends_with_it(child, tmp_path):
    leaving = """
import subprocess, sys
quiet = subprocess.DEVNULL
left = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(600)"], stdout=quiet, stderr=quiet
)
print('{"left": %d}' % left.pid)
"""
    assert not _alive(child(leaving)["left"])


def test_nothing_beside_a_program_or_in_the_folder_shadows_a_library(child, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise RuntimeError('the wrong numpy')")
    monkeypatch.chdir(tmp_path)
    assert child("import numpy, json; print(json.dumps({'ok': numpy.__version__ != ''}))")["ok"]


def test_variables_are_added_to_ones_own(tmp_path, monkeypatch):
    monkeypatch.setenv("OF_THE_PARENT", "1")
    program = tmp_path / "program.py"
    program.write_text("import json, os; print(json.dumps(dict(os.environ)))")
    answer = run_child("It", program, {}, timeout_s=60, environment={"ONLY_HIS": "2"})
    assert (answer["OF_THE_PARENT"], answer["ONLY_HIS"]) == ("1", "2")
    assert "ONLY_HIS" not in os.environ


def test_a_missing_module_is_a_bad_end_like_any_other():
    with pytest.raises(ChildError, match="No module named"):
        run_child("It", "tinyseg.no_such_module", {}, timeout_s=60)


def _alive(pid: int) -> bool:
    """Whether a process runs; killed ones are given a while to be reaped by init."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
    return True
