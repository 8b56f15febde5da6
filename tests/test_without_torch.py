"""Everything NumPy works where torch is absent, and what needs torch says which extra to install."""

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.smoke
BLOCK = """
import sys

class Blocked:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] == "LIBRARY":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked)
"""
"""Makes the import of a library fail as if it were not installed."""


def run(code, without="torch"):
    code = BLOCK.replace("LIBRARY", without) + textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_the_rooms_without_torch():
    done = run(
        """
        import numpy as np
        import relational_rnn, relational_rnn.analysis, relational_rnn.interop.sonnet, relational_rnn.recipes
        import relational_rnn.experiments.failures
        import relational_rnn.training.run, relational_rnn.training.weights
        from relational_rnn.reference import LSTM, MultiHeadAttention, RelationalMemory, multi_head_attention
        from relational_rnn.tasks import nth_farthest

        core = RelationalMemory(input_size=40, mem_slots=8, head_size=32, num_heads=8)
        batch = nth_farthest.sample(nth_farthest.NthFarthest(), 4, np.random.default_rng(0))
        outputs, memory = core.forward(batch.inputs)
        d_inputs, d_memory = core.backward(np.ones_like(outputs))
        assert core.grads.keys() == core.params.keys()
        print(outputs.shape, memory.shape, d_inputs.shape, d_memory.shape)
        """
    )
    assert done.stderr == ""
    assert done.stdout == "(4, 8, 2048) (4, 8, 256) (4, 8, 40) (4, 8, 256)\n"


def test_help_and_tasks_without_torch():
    done = run(
        """
        from relational_rnn.cli.main import main
        codes = [main(["--help"]), main(["train", "nth-farthest", "--help"]), main(["tasks", "list"])]
        codes.append(main(["tasks", "sample", "nth-farthest", "--json"]))
        assert codes == [0, 0, 0, 0], codes
        """
    )
    assert done.stderr == ""
    assert "or: relational-rnn train sorting" in done.stdout  # what to begin with here
    assert '"task": "nth-farthest"' in done.stdout


TRAIN = """
import sys
from relational_rnn.cli.main import main
sys.exit(main(["train", "nth-farthest", "--out", {!r}]))
"""


def test_a_torch_command_says_what_to_install(tmp_path):
    done = run(TRAIN.format(str(tmp_path / "run")))
    assert done.returncode == 1
    assert done.stderr == "error: this command needs torch: pip install torch\n"
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_a_run_has_all_but_figures(tmp_path):
    done = run(
        f"""
        import sys
        from relational_rnn.cli.main import main
        flags = "--framework numpy --preset tiny --models rmc --seeds 1 --steps 4".split()
        sys.exit(main(["train", "sorting", *flags, "--out", {str(tmp_path / "run")!r}]))
        """,
        without="matplotlib",
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = "Without figures: matplotlib is not installed (pip install matplotlib)."
    assert done.stdout.count(told) == 1
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {
        "results.json",
        "report.html",
        "memory.json",
    }
    assert not list((tmp_path / "run" / "plots").iterdir())
    assert "<table" in (tmp_path / "run" / "report.html").read_text()
