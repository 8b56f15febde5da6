"""`bench`: parity before times, the table, the JSON, the estimate."""

import json
import subprocess
import sys
import textwrap

import pytest

from relational_rnn.bench.workloads import Sizes
from relational_rnn.cli import bench
from relational_rnn.cli.main import main
from relational_rnn.recipes import nth_farthest

TINY = Sizes(2, 3, 5, 2, 3, 2)


@pytest.fixture
def tiny(monkeypatch):
    """Nothing but tiny sizes, two rounds each."""
    pytest.importorskip("torch")
    monkeypatch.setattr(bench, "configurations", lambda: [TINY, TINY._replace(batch=1)])
    monkeypatch.setattr(bench, "ROUNDS", 2)
    preset = nth_farthest.tiny()
    monkeypatch.setattr(nth_farthest, "quick", lambda: preset)
    monkeypatch.setenv("COLUMNS", "80")


def run(capsys, *arguments):
    code = main(["bench", *arguments])
    return code, capsys.readouterr()


@pytest.mark.torch
@pytest.mark.slow
def test_every_backend_is_checked_and_timed(tiny, capsys):
    from relational_rnn.bench.fwd_bwd_torch import auto_backend
    from relational_rnn.kernels import BACKENDS

    code, (out, err) = run(capsys, "--json")
    assert (code, err) == (0, "")
    records = [json.loads(line) for line in out.splitlines()]
    kinds = [record["kind"] for record in records]
    assert kinds == sorted(kinds, key=["machine", "parity", "time", "estimate"].index)
    parity = [record for record in records if record["kind"] == "parity"]
    assert {record["backend"] for record in parity} >= BACKENDS.keys()
    run_here = {record["backend"] for record in parity if record["reason"] is None}
    assert all(record["largest"] <= record["allowed"] for record in parity if record["reason"] is None)
    times = [record for record in records if record["kind"] == "time"]
    for sizes in (TINY, TINY._replace(batch=1)):
        rows = [record for record in times if record["sizes"] == list(sizes)]
        assert {row["backend"] for row in rows} == run_here | {"NumPy core", "LSTM, equal parameters"}
        assert [row["backend"] for row in rows if row["auto"]] == [auto_backend(sizes)]
        assert rows[-1]["times_lstm"] == 1
        for row in rows:
            rate = 1000 * sizes.batch / row["milliseconds"]
            assert row["examples_per_second"] == pytest.approx(rate, rel=1e-2)
    assert records[-1]["trainings"] == 4
    assert set(records[-1]["step"]) == {"rmc", "lstm"}


@pytest.mark.torch
def test_the_table(tiny, capsys):
    code, (out, _) = run(capsys, "--threads", "1", "--seconds", "1")
    assert code == 0
    assert "eager, float64: outputs and gradients right (22 arrays, off by " in out
    assert "2, 3, 5, 2, 3, 2" in out
    assert "x LSTM" in out
    assert "Estimate for `relational-rnn train nth-farthest --preset quick` on this machine" in out
    table = out[out.index("Forward + backward\n") : out.index("Estimate")]
    assert max(map(len, table.splitlines())) <= 80


@pytest.mark.torch
@pytest.mark.parametrize("as_json", [False, True])
def test_a_wrong_backend_stops_everything(tiny, capsys, monkeypatch, as_json):
    from relational_rnn.kernels import eager

    step = eager.step

    def wrong(*arguments, **more):
        memory, trace = step(*arguments, **more)
        return memory * 1.001, trace

    monkeypatch.setattr(eager, "step", wrong)
    code, (out, _) = run(capsys, *(["--json"] if as_json else []))
    assert code == 1
    if as_json:
        records = [json.loads(line) for line in out.splitlines()]
        assert records[-1] == {"kind": "refused"}
        assert "time" not in {record["kind"] for record in records}
    else:
        assert "eager, float64: outputs and gradients WRONG in outputs, memory" in out
        assert out.endswith("Nothing is timed: what is installed here computes something wrong.\n")


PORT = """
import torch

class RelationalMemory(torch.nn.Module):
    def __init__(self, input_size, mem_slots, head_size, num_heads, return_all_outputs):
        super().__init__()
        self.linear = torch.nn.Linear(input_size, 2)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size)

    def forward(self, inputs, memory):
        q = self.linear(inputs)
        q *= 2
        return q, memory
"""


@pytest.mark.torch
@pytest.mark.slow
def test_a_port_beside(tiny, capsys, tmp_path):
    file = tmp_path / "port.py"
    file.write_text(PORT)
    code, (out, _) = run(capsys, "--json", "--port", str(file))
    assert code == 0
    times = [r for r in map(json.loads, out.splitlines()) if r["kind"] == "time"]
    assert times[0]["backend"] == "PyTorch port"


@pytest.mark.torch
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seconds", "1e-9"], "seconds must be a finite number from 1.0 to 86400.0, got 1e-09"),
        (["--threads", "0"], "threads must be an integer of at least 1, got 0"),
        (["--port", "nowhere.py"], "nowhere.py: no such file or directory"),
        (["--port", "/"], "/ is a folder; only a file can be read"),
        (["--port", bench.__file__], "is not relational_rnn_general.py: it has no line that scales q"),
    ],
)
def test_wrong_use(tiny, capsys, arguments, message):
    code, (out, err) = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert message in err


def test_without_torch(tmp_path):
    file = tmp_path / "port.py"
    file.write_text("import torch\nq = 1.0\nq *= 2\n")
    code = """
        import sys

        class Blocked:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name.split(".")[0] == "torch":
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        sys.meta_path.insert(0, Blocked)
        from relational_rnn.cli import bench
        from relational_rnn.cli.main import main
        from relational_rnn.bench.workloads import Sizes

        bench.configurations = lambda: [Sizes(2, 3, 5, 2, 3, 2)]
        bench.ROUNDS = 2
        assert main(["bench"]) == 0
        sys.exit(main(["bench", "--port", sys.argv[1]]))
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == "error: this command needs torch: pip install torch\n"
    assert done.returncode == 1
    for text in ("NumPy core, float64: outputs and gradients right", "* NumPy core", "NumPy LSTM"):
        assert text in done.stdout
    assert "`relational-rnn train nth-farthest` needs torch" in done.stdout


@pytest.mark.smoke
def test_help_imports_no_mathematics():
    code = "from relational_rnn.cli.main import main; main(['bench', '--help']); import sys; "
    heavy = ("numpy._core", "torch", "relational_rnn.reference")
    code += f"sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
