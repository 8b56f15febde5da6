"""examples/language_model_lightning.py: the memory goes on, and every run is the same."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(importlib.util.find_spec("lightning") is None, reason="needs lightning"),
]

SCRIPT = Path(__file__).parents[2] / "examples" / "language_model_lightning.py"

DRIVER = """
import runpy, sys, torch
script = runpy.run_path(sys.argv[1])
torch.manual_seed(0)
model, text = script["CharacterModel"](7), torch.randint(7, (3 * 200,))
parts = list(script["windows"](text, 3))
print("windows", [tuple(part.shape) for part in parts])
whole = torch.cat([parts[0], *(part[:, 1:] for part in parts[1:])], 1)
print("in order", torch.equal(whole, text.view(3, 200)[:, : whole.shape[1]]))
expected, _ = model.read(whole, None)
model.on_train_epoch_start()
losses = [model.training_step(part, 0) for part in parts]
print("carried", torch.allclose(torch.stack(losses).mean(), expected, atol=1e-5))
print("cut", not model.memory.requires_grad)
before, model.log = model.memory, lambda *_, **__: None
model.on_validation_epoch_start()
model.validation_step(parts[0], 0)
print("apart", model.memory is before)
model.on_train_epoch_start()
print("anew", torch.equal(model.training_step(parts[0], 0), losses[0]))
for arguments in (["book.txt", "--epochs", "3"],) * 2 + (["latin"], ["short"], ["--epochs", "0"]):
    sys.argv[1:] = arguments
    try:
        script["main"]()
    except SystemExit as left:
        print("left with", left.code)
"""


def test_it(tmp_path):
    """In a process of its own: Lightning sets seeds and loggers for the whole of it."""
    (tmp_path / "book.txt").write_text("ein Ärger / " * 1_000, encoding="utf-8")
    (tmp_path / "latin").write_bytes(b"\xff" * 9_000)
    (tmp_path / "short").write_bytes(b"short")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(SCRIPT)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:6] == [
        "windows [(3, 65), (3, 65), (3, 65)]",
        *(f"{what} True" for what in ("in order", "carried", "cut", "apart", "anew")),
    ]
    assert [re.sub(r"[\d.]+ nats", "nats", line) for line in lines[6:9]] == [
        f"epoch   {number}  nats" for number in (1, 2, 3)
    ]
    assert float(lines[8].split()[-2]) < float(lines[6].split()[-2]) - 0.1
    assert lines[9:12] == lines[6:9]
    assert lines[12:] == ["left with 2"] * 3
    assert "latin cannot be read: " in done.stderr
    assert "a text must have at least 4,096 characters, got 5" in done.stderr
    assert "--epochs must be at least 1" in done.stderr
