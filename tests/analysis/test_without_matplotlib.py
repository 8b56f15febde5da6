"""The room without matplotlib, and with one whose backend or parts are absent."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from relational_rnn.analysis import (
    Attention,
    Bar,
    Cost,
    Curve,
    Efficiency,
    Place,
    Reach,
    RecordedMemory,
    SizeAxis,
    draw_accuracy_bars,
    draw_attention,
    draw_cost_bars,
    draw_generalisation,
    draw_memory_evolution,
    draw_mistakes,
    draw_plane,
    draw_sample_efficiency,
    draw_slot_usage,
    draw_training_curves,
    style,
)

MEMORY = RecordedMemory("rmc", np.ones((1, 1, 1, 1)), np.ones((1, 1, 1)), np.ones((1, 1, 1)), 1, 1)


@pytest.mark.parametrize(
    "figure",
    ["curves", "bars", "attention", "memory", "slots", "efficiency", "sizes", "plane", "cost", "mistakes"],
)
def test_the_message_names_the_extra(figure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # makes `import matplotlib` fail
    draw = {
        "curves": lambda: draw_training_curves(
            [Curve("RMC", "rmc", [1], [1], [0.5])], trivial_accuracy=0.5, title=""
        ),
        "bars": lambda: draw_accuracy_bars([Bar("RMC", "rmc", 0.5)], trivial_accuracy=0.5, title=""),
        "attention": lambda: draw_attention({"RMC": Attention(np.ones((1, 1, 1, 1, 1)))}, title=""),
        "memory": lambda: draw_memory_evolution(MEMORY, title=""),
        "slots": lambda: draw_slot_usage(MEMORY, title=""),
        "efficiency": lambda: draw_sample_efficiency(
            [Efficiency("RMC", "rmc", [[1]])], accuracies=[0.5], title=""
        ),
        "sizes": lambda: draw_generalisation(
            [SizeAxis("items", [1], 1, [0.5], [Reach("RMC", "rmc", [[0.5]])])], title=""
        ),
        "plane": lambda: draw_plane([Place("RMC", "rmc", [0.5], [0.5])], across="", up="", title=""),
        "cost": lambda: draw_cost_bars([Cost("RMC", "rmc", 1, [1.0], [1.0])], title=""),
        "mistakes": lambda: draw_mistakes({"rmc": {"label": "RMC"}}, title=""),
    }[figure]
    with pytest.raises(ImportError, match="pip install matplotlib"):
        draw()


@pytest.mark.smoke
def test_importing_the_room_imports_neither_matplotlib_nor_torch() -> None:
    code = "import sys, relational_rnn.analysis; print(sorted({'matplotlib', 'torch'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_absent_or_broken_is_told_when_it_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(width: float) -> None:
        raise ValueError("no such font")

    pytest.importorskip("matplotlib")
    style.check_drawing()
    with monkeypatch.context() as patch:
        patch.setattr(style, "new_figure", broken)
        with pytest.raises(ImportError, match="matplotlib, which does not work here: no such font") as error:
            style.check_drawing()
        assert error.value.name == "matplotlib"
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match="pip install matplotlib") as error:
        style.check_drawing()
    assert error.value.name == "matplotlib"


@pytest.mark.parametrize(
    ("named", "taken"),
    [("module://nowhere.backend", True), ("nonsense", False), ("svg", True), (None, False)],
)
def test_the_backend_is_only_pyplots(named: str | None, taken: bool, tmp_path: os.PathLike[str]) -> None:
    pytest.importorskip("matplotlib")
    code = """
import json, os, sys
from relational_rnn.analysis import save, style
before = dict(os.environ)
style.check_drawing()
with style.paper_style():
    save(style.new_figure(1.0), sys.argv[1])
import matplotlib
print(json.dumps([os.environ == before, str(dict.get(matplotlib.rcParams, "backend"))]))
"""
    surroundings = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    surroundings |= {} if named is None else {"MPLBACKEND": named}
    command = [sys.executable, "-c", code, os.path.join(tmp_path, "figure.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=surroundings)
    same, backend = json.loads(done.stdout)
    assert same
    assert (backend == named) == taken
    assert os.listdir(tmp_path) == ["figure.png"]
