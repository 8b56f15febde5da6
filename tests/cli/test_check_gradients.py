"""`check-gradients`: the table, the JSON, the exit codes."""

import json
import subprocess
import sys
import textwrap

import pytest

from relational_rnn.cli.main import main
from relational_rnn.config import RelationalMemoryConfig, parameter_shapes
from relational_rnn.reference import LSTM, RelationalMemory, RelationalRNN


def run(capsys, *arguments):
    code = main(["check-gradients", *arguments])
    return code, capsys.readouterr()


def records(out):
    return [json.loads(line) for line in out.splitlines()]


def test_without_a_model_all_are_checked(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, (out, err) = run(capsys, "--entries", "2", "--steps", "2")
    assert (code, err) == (0, "")
    for title in ("rmc: RelationalMemory", "hybrid: RelationalRNN", "lstm: LSTM", "attention: MultiHead"):
        assert title in out
    rows = [line.split() for line in out.splitlines() if line.rstrip().endswith("ok")]
    assert out.endswith(f"All {len(rows)} arrays agree.\n")
    assert max(map(len, out.splitlines())) <= 80
    named = {row[0]: row for row in rows}
    assert named["blocks.0.attention_norm.weight"][1] == "8"
    assert named["Q"][1] == "2x2x8"
    for row in rows:
        largest, numeric, allowed = map(float, row[2:5])
        assert numeric <= allowed
        assert allowed == pytest.approx(1e-7 * max(1, largest), rel=0.1)
    assert out.count("Cut in two anywhere, the sequence has the same gradients") == 3


def test_every_field_of_the_configuration_is_a_flag(capsys):
    config = RelationalMemoryConfig(
        input_size=2,
        mem_slots=2,
        head_size=3,
        num_blocks=2,
        key_size=1,
        attention_mlp_layers=1,
        gate_style="memory",
        forget_bias=0.5,
        input_bias=-0.5,
        treat_input_as_matrix=True,
        input_rows=2,
        initial_memory="trainable",
        input_fusion="tile",
        read_head="weighted",
        use_residual=False,
    )
    flags = []
    for name, value in vars(config).items():
        flag = name.replace("_", "-")
        flags += (
            [f"--{'' if value else 'no-'}{flag}"] if isinstance(value, bool) else [f"--{flag}", str(value)]
        )
    code, (out, _) = run(capsys, "rmc", "--json", "--entries", "1", "--batch", "3", "--steps", "2", *flags)
    assert code == 0
    numeric = [record for record in records(out) if record["check"] == "central differences"]
    shapes = {record["name"]: tuple(record["shape"]) for record in numeric}
    assert shapes == {"inputs": (3, 2, 2, 2), "memory": (3, 2, 3)} | parameter_shapes(config)
    assert {record["check"] for record in records(out)} == {"central differences", "split after 1"}
    assert all(record["passed"] for record in records(out))
    assert {record["model"] for record in records(out)} == {"rmc"}


def test_the_sizes_of_the_other_models(capsys):
    for arguments, name, shape in (
        ("lstm --input-size 3 --hidden-size 2 --output-size 4", "output.weight", [4, 2]),
        ("lstm --output-size None --hidden-size 3", "weight_hh", [12, 3]),
        ("hybrid --num-slots 2 --slot-size 9 --num-heads 3 --input-size 2", "initial_memory", [2, 9]),
        ("attention --d-model 6 --num-heads 3 --batch 1", "Q", [1, 4, 6]),
    ):
        code, (out, _) = run(capsys, *arguments.split(), "--json", "--entries", "1")
        assert code == 0
        assert {record["name"]: record["shape"] for record in records(out)}[name] == shape


@pytest.mark.parametrize(("entries", "expected"), [("3", (3, 3)), ("10", (10, 7)), ("all", (60, 7))])
def test_entries(capsys, entries, expected):
    _, (out, _) = run(capsys, "lstm", "--json", "--entries", entries, "--hidden-size", "3")
    numeric = [record for record in records(out) if record["check"] == "central differences"]
    counted = {record["name"]: record["entries"] for record in numeric}
    assert (counted["weight_ih"], counted["output.bias"]) == expected


def test_the_same_seed_gives_the_same_output(capsys):
    first, again, other = (
        run(capsys, "lstm", "--json", "--entries", "2", "--seed", seed)[1].out for seed in ("3", "3", "4")
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("as_json", [False, True])
def test_a_wrong_gradient_fails(capsys, monkeypatch, as_json):
    backward = RelationalMemory.backward

    def wrong(self, d_outputs, d_memory=None):
        returned = backward(self, d_outputs, d_memory)
        self.grads["gate_input.bias"] = 1.01 * self.grads["gate_input.bias"]
        return returned

    monkeypatch.setattr(RelationalMemory, "backward", wrong)
    code, (out, _) = run(capsys, "rmc", "--entries", "2", *(["--json"] if as_json else []))
    assert code == 1
    if as_json:
        assert [r["name"] for r in records(out) if not r["passed"]] == ["gate_input.bias"]
    else:
        assert out.count("WRONG") == 1
        assert out.endswith("Wrong: rmc gate_input.bias (central differences)\n")


@pytest.mark.parametrize(("model", "kind"), [("lstm", LSTM), ("hybrid", RelationalRNN)])
def test_a_state_cut_off_from_the_gradient_fails(capsys, monkeypatch, model, kind):
    backward = kind.backward
    monkeypatch.setattr(kind, "backward", lambda self, d_outputs, d_state=None: backward(self, d_outputs))
    code, (out, _) = run(capsys, model, "--entries", "2")
    assert code == 1
    assert "Cut in two, the sequence has other gradients: sequence (split after 1)" in out


@pytest.mark.torch
def test_against_torch(capsys, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setenv("COLUMNS", "80")
    code, (out, _) = run(capsys, "--torch", "--entries", "1", "--steps", "2")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert out.count("torch allowed") == 3
    assert out.count("PyTorch has no such model.") == 1
    _, (out, _) = run(capsys, "attention", "--torch", "--json", "--entries", "1")
    against = [record for record in records(out) if record["check"] == "torch"]
    assert len(against) == 11
    assert all(record["difference"] < 1e-12 for record in against)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rmc", "--mem-slots", "0"], "mem_slots must be an integer of at least 1, got 0"),
        (["rmc", "--gate-style", "soft"], "gate_style must be one of 'unit', 'memory', 'none', got 'soft'"),
        (["hybrid", "--num-heads", "3"], "num_heads must divide slot_size, got num_heads=3 and slot_size=8"),
        (["--batch", "0"], "batch must be an integer of at least 1, got 0"),
        (["lstm", "--steps", "0"], "steps must be an integer of at least 1, got 0"),
        (["--seed", "-1"], "seed must be an integer of at least 0, got -1"),
        (["lstm", "--entries", "-1"], "entries must be an integer of at least 0, got -1"),
    ],
)
def test_wrong_use(capsys, arguments, message):
    code, (out, err) = run(capsys, *arguments)
    assert (code, out, err) == (2, "", f"error: {message}\n")


@pytest.mark.parametrize("arguments", [["gru"], ["rmc", "--hidden-size", "3"], ["lstm", "--entries", "few"]])
def test_unknown_words(capsys, arguments):
    assert run(capsys, *arguments)[0] == 2


def test_without_torch():
    code = """
        import sys

        class Blocked:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name.split(".")[0] == "torch":
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        sys.meta_path.insert(0, Blocked)
        from relational_rnn.cli.main import main
        assert main(["check-gradients", "--help"]) == 0
        assert main(["check-gradients", "lstm", "--entries", "1"]) == 0
        sys.exit(main(["check-gradients", "lstm", "--torch"]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "error: this command needs torch: pip install torch\n"
    assert "All 9 arrays agree." in done.stdout


@pytest.mark.smoke
def test_help_imports_no_mathematics():
    code = (
        "from relational_rnn.cli.main import main; main(['check-gradients', 'rmc', '--help']); import sys; "
    )
    code += (
        "sys.exit(any(name in sys.modules for name in ('numpy._core', 'torch', 'relational_rnn.reference')))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
