"""The room can be imported without matplotlib, and says what to install when it is needed."""

import subprocess
import sys

import numpy as np
import pytest

from relational_rnn.analysis import (
    AttentionExample,
    Bar,
    Cost,
    Curve,
    Efficiency,
    Reach,
    RecordedMemory,
    SizeAxis,
    draw_accuracy_bars,
    draw_attention_heatmap,
    draw_cost_bars,
    draw_generalisation,
    draw_memory_evolution,
    draw_sample_efficiency,
    draw_slot_usage,
    draw_training_curves,
)

MEMORY = RecordedMemory("rmc", np.ones((1, 1, 1, 1)), np.ones((1, 1, 1)), np.ones((1, 1, 1)), 1, 1)


@pytest.mark.parametrize(
    "figure", ["curves", "bars", "attention", "memory", "slots", "efficiency", "sizes", "cost"]
)
def test_the_message_names_the_extra(figure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # makes `import matplotlib` fail
    draw = {
        "curves": lambda: draw_training_curves(
            [Curve("RMC", "rmc", [1], [1], [0.5])], trivial_accuracy=0.5, title=""
        ),
        "bars": lambda: draw_accuracy_bars([Bar("RMC", "rmc", 0.5)], trivial_accuracy=0.5, title=""),
        "attention": lambda: draw_attention_heatmap(
            [AttentionExample(np.ones((1, 1, 1, 1)), ["a"], "", "", "")], title=""
        ),
        "memory": lambda: draw_memory_evolution(MEMORY, title=""),
        "slots": lambda: draw_slot_usage(MEMORY, title=""),
        "efficiency": lambda: draw_sample_efficiency(
            [Efficiency("RMC", "rmc", [[1]])], accuracies=[0.5], title=""
        ),
        "sizes": lambda: draw_generalisation(
            [SizeAxis("items", [1], 1, [0.5], [Reach("RMC", "rmc", [[0.5]])])], title=""
        ),
        "cost": lambda: draw_cost_bars([Cost("RMC", "rmc", 1, [1.0], [1.0])], title=""),
    }[figure]
    with pytest.raises(ImportError, match=r"pip install relational-rnn\[plot\]"):
        draw()


def test_importing_the_room_imports_neither_matplotlib_nor_torch() -> None:
    code = "import sys, relational_rnn.analysis; print(sorted({'matplotlib', 'torch'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
