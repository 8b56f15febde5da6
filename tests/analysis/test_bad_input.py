"""What cannot be drawn is refused with a message; none of this needs matplotlib."""

from typing import Any

import numpy as np
import pytest

from relational_rnn.analysis import (
    AttentionExample,
    Bar,
    Curve,
    StageChange,
    draw_accuracy_bars,
    draw_attention_heatmap,
    draw_training_curves,
)

FINE = np.full((3, 2, 4, 5), 0.2)


def test_empty_lists() -> None:
    with pytest.raises(ValueError, match="at least one curve, got none"):
        draw_training_curves([], trivial_accuracy=0.5, title="")
    with pytest.raises(ValueError, match="at least one result, got none"):
        draw_accuracy_bars([], trivial_accuracy=0.5, title="")
    with pytest.raises(ValueError, match="at least one example, got none"):
        draw_attention_heatmap([], title="")


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
    ("change", "message"),
    [
        ({"attention": FINE[0]}, r"attention must have 4 axes \(T, H, N, M\) .*; got shape \(2, 4, 5\)"),
        ({"attention": FINE[:0]}, r"attention must not be empty"),
        ({"attention": FINE[..., :3]}, r"at least the 4 slots that ask, got 3 rows"),
        ({"attention": 10 * FINE}, r"weights from 0 to 1"),
        ({"attention": np.nan * FINE}, r"weights from 0 to 1"),
        ({"step_labels": ["a", "b"]}, r"step_labels must be 3, one for each step, got 2"),
        ({"reference_step": 3}, r"reference_step must be from 0 to 2, got 3"),
    ],
)
def test_attention(change: dict[str, Any], message: str) -> None:
    fine = {"attention": FINE, "step_labels": list("abc"), "question": "", "answer": "", "prediction": ""}
    with pytest.raises(ValueError, match=message):
        AttentionExample(**{**fine, **change})


def test_attention_is_an_array_and_examples_share_a_core() -> None:
    with pytest.raises(TypeError, match="attention must be a NumPy array, got list"):
        AttentionExample(FINE.tolist(), list("abc"), "", "", "")
    two = [AttentionExample(FINE[:, :heads], list("abc"), "", "", "") for heads in (1, 2)]
    with pytest.raises(
        ValueError, match=r"examples must share heads, slots and rows .*\(1, 4, 5\), \(2, 4, 5\)"
    ):
        draw_attention_heatmap(two, title="")
