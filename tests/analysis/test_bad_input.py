"""What cannot be drawn is refused with a message; none of this needs matplotlib."""

from typing import Any

import numpy as np
import pytest

from relational_rnn.analysis import (
    Attention,
    Bar,
    Curve,
    StageChange,
    draw_accuracy_bars,
    draw_attention,
    draw_training_curves,
)

FINE = np.full((3, 1, 2, 4, 5), 0.2)


def test_empty_lists() -> None:
    with pytest.raises(ValueError, match="at least one curve, got none"):
        draw_training_curves([], trivial_accuracy=0.5, title="")
    with pytest.raises(ValueError, match="at least one result, got none"):
        draw_accuracy_bars([], trivial_accuracy=0.5, title="")
    with pytest.raises(ValueError, match=r"at least one; got \{\}"):
        draw_attention({}, title="")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": [0, 1, 2]}, "got 3 seconds, 2 examples, 2 accuracies"),
        ({"seconds": [], "examples": [], "accuracy": []}, "at least one; got 0 seconds"),
        ({"seconds": [1, 0]}, "seconds of curve 'RMC' must be finite, at least 0 and never fall"),
        ({"examples": [-1, 0]}, "examples of curve 'RMC' must be finite, at least 0"),
        ({"seconds": [0, np.nan]}, "seconds of curve 'RMC' must be finite"),
        ({"accuracy": [50, 95]}, "accuracy of curve 'RMC' must be a finite number from 0 to 1, got 50"),
        ({"accuracy": [0.5, float("nan")]}, "accuracy of curve 'RMC' must be a finite number from 0 to 1"),
        (
            {"stages": [StageChange(1, 5, 1, {"objects": 3}), StageChange(2, 4, 2, {"objects": 4})]},
            "examples of the stages of curve 'RMC' must be finite, at least 0 and never fall",
        ),
    ],
)
def test_curves(change: dict[str, Any], message: str) -> None:
    fine: dict[str, Any] = {"seconds": [0, 1], "examples": [0, 9], "accuracy": [0.5, 0.9]}
    with pytest.raises(ValueError, match=message):
        Curve("RMC", "rmc", **{**fine, **change})


def test_bars() -> None:
    with pytest.raises(ValueError, match="accuracy of bar 'RMC' must be a finite number from 0 to 1, got 95"):
        Bar("RMC", "rmc", 95)
    with pytest.raises(ValueError, match=r"error of bar 'RMC' must be a finite number from 0 to 1, got -0.1"):
        Bar("RMC", "rmc", 0.95, -0.1)


@pytest.mark.parametrize("trivial", [-0.1, 50, float("nan")])
def test_trivial_accuracy(trivial: float) -> None:
    with pytest.raises(ValueError, match="trivial_accuracy must be a finite number from 0 to 1"):
        draw_training_curves([Curve("RMC", "rmc", [1], [1], [0.5])], trivial_accuracy=trivial, title="")
    with pytest.raises(ValueError, match="trivial_accuracy must be a finite number from 0 to 1"):
        draw_accuracy_bars([Bar("RMC", "rmc", 0.5)], trivial_accuracy=trivial, title="")


@pytest.mark.parametrize(
    ("weights", "over_steps", "message"),
    [
        (FINE[0], False, r"attention must have 5 axes \(T, blocks, H, N, M\) .*; got shape \(1, 2, 4, 5\)"),
        (FINE[:0], False, r"attention must not be empty"),
        (FINE[..., :3], False, r"at least the 4 slots that attend, got 3 rows"),
        (10 * FINE, False, r"weights from 0 to 1"),
        (np.nan * FINE, False, r"weights from 0 to 1"),
        (FINE, True, r"attention over steps must be of 1 row over 3, got 4 over 5"),
    ],
)
def test_attention(weights: np.ndarray, over_steps: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Attention(weights, over_steps)


def test_attention_is_an_array_and_models_share_their_steps() -> None:
    with pytest.raises(TypeError, match="attention must be a NumPy array, got list"):
        Attention(FINE.tolist())
    with pytest.raises(ValueError, match=r"as many steps, at least one; got \{'RMC': 3, 'LSTM': 2\}"):
        draw_attention({"RMC": Attention(FINE), "LSTM": Attention(FINE[:2])}, title="")
    with pytest.raises(ValueError, match="step_labels must be 3, one for each step, got 2"):
        draw_attention({"RMC": Attention(FINE)}, title="", step_labels=["a", "b"])
    with pytest.raises(ValueError, match=r"steps marked 'answer' must be from 0 to 2, got \[1, 3\]"):
        draw_attention({"RMC": Attention(FINE)}, title="", marked={"answer": [3, 1]})
