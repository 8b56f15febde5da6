"""What the memory's figures show: the numbers of `analysis.memory`, a line or row a slot, and the mask."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from relational_rnn.analysis import (
    RecordedMemory,
    draw_gates,
    draw_memory_evolution,
    draw_slot_changes,
    draw_slot_usage,
    effective_rank,
    slot_changes,
    slot_norms,
    specialisation,
)
from relational_rnn.analysis.style import PALETTE

pytest.importorskip("matplotlib")
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text


def memory(
    slots: int = 3, width: int = 4, model: str = "rmc", steps: int = 6, batch: int = 5
) -> RecordedMemory:
    drawn = np.random.default_rng(slots).standard_normal((batch, steps, slots, width)).cumsum(axis=1)
    return RecordedMemory(model, drawn, np.ones((batch, slots, width)), drawn[:, :, 0], 100, 90)


RMC, HYBRID, LSTM = memory(), memory(2, 8, "hybrid"), memory(1, 16, "lstm")
MASK = np.zeros((5, 6), dtype=bool)
MASK[:, [1, 3, 4]] = True


def said(figure: Figure) -> str:
    texts = [text.get_text() for text in figure.findobj(Text)]  # type: ignore[attr-defined]
    return " ".join(" ".join(texts).split())


def lines(axes: Axes) -> dict[str, np.ndarray]:
    return {
        str(line.get_label()): np.asarray(line.get_ydata())
        for line in axes.lines
        if not str(line.get_label()).startswith("_")
    }


def marked(axes: Axes) -> list[tuple[float, float]]:
    """First and last edge of what marks the steps at which an answer is expected."""
    patches = [patch for patch in axes.patches if patch.get_gid() == "expected"]
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in patches]  # type: ignore[attr-defined]


def test_a_line_for_each_model_is_the_mean_of_its_slots() -> None:
    figure = draw_memory_evolution({"RMC": RMC, "Hybrid": HYBRID, "LSTM": LSTM}, title="Memory")
    sizes, shares, ranks = figure.axes
    for name, one in (("RMC", RMC), ("Hybrid", HYBRID), ("LSTM", LSTM)):
        norms = slot_norms(one.memories) / np.sqrt(one.memories.shape[3])
        np.testing.assert_allclose(lines(sizes)[name], norms.mean(1))
        assert norms.max() < sizes.get_ylim()[1]
        if one is LSTM:
            continue
        np.testing.assert_allclose(lines(shares)[name], specialisation(one.memories))
        np.testing.assert_allclose(lines(ranks)[name], effective_rank(one.memories))
    assert lines(shares).keys() == {"RMC", "Hybrid"}
    assert ranks.get_ylim()[1] >= 3
    assert "Means over 5 sequences. Bands reach from the lowest slot to the highest." in said(figure)
    colours = {line.get_label(): to_hex(line.get_color()).upper() for line in sizes.lines}
    assert colours == {"RMC": PALETTE["rmc"], "Hybrid": PALETTE["hybrid"], "LSTM": PALETTE["lstm"]}


def test_models_of_one_slot_have_their_size_alone() -> None:
    (axes,) = draw_memory_evolution({"LSTM": LSTM, "one slot": memory(1, 4)}, title="").axes
    assert lines(axes).keys() == {"LSTM", "one slot"}


def test_changes_are_shares_of_the_size_after_the_step() -> None:
    (axes,) = draw_slot_changes({"RMC": RMC}, title="").axes
    expected = slot_changes(RMC.memories, RMC.initial) / slot_norms(RMC.memories)
    np.testing.assert_allclose(lines(axes)["RMC"], expected.mean(1))
    band = axes.collections[0].get_paths()[0].vertices
    assert {tuple(point) for point in band} >= {(1.0, expected[0].min()), (1.0, expected[0].max())}


def test_gates_are_those_of_the_models_that_have_them() -> None:
    gates = np.random.default_rng(0).random((2, 5, 6, 3, 4))
    gated = dataclasses.replace(RMC, input_gate=gates[0], forget_gate=gates[1])
    taken, kept = draw_gates({"RMC": gated, "LSTM": LSTM}, title="").axes
    for axes, gate in zip((taken, kept), gates):
        assert lines(axes).keys() == {"RMC"}
        np.testing.assert_allclose(lines(axes)["RMC"], gate.mean(axis=(0, 2, 3)))
    with pytest.raises(ValueError, match="needs a model that has them"):
        draw_gates({"LSTM": LSTM}, title="")


def test_the_steps_at_which_an_answer_is_expected_are_marked() -> None:
    runs = [(1.5, 2.5), (3.5, 5.5)]  # steps 2, and 4 to 5, counted from 1
    evolution = draw_memory_evolution(RMC, title="", mask=MASK)
    usage = draw_slot_usage(RMC, title="", mask=MASK)
    assert [marked(axes) for axes in evolution.axes] == [runs] * 3
    assert marked(usage.axes[0]) == runs
    for figure in (evolution, usage):
        assert "steps at which an answer is expected" in said(figure)
    for figure in (draw_memory_evolution(RMC, title=""), draw_slot_usage(RMC, title="")):
        assert not any(marked(axes) for axes in figure.axes)
        assert "expected" not in said(figure)


def test_maps_have_a_row_for_each_slot_and_a_column_for_each_step() -> None:
    weights = np.random.default_rng(0).random((5, 6, 1, 2, 3, 4))
    attending = dataclasses.replace(RMC, attention=weights / weights.sum(-1, keepdims=True))
    figure = draw_slot_usage({"RMC": attending, "LSTM": LSTM}, title="Memory")
    moved, read, state = (axes for axes in figure.axes if axes.images and axes.images[0].get_gid() == "map")
    for axes, one in ((moved, RMC), (state, LSTM)):
        np.testing.assert_allclose(axes.images[0].get_array(), slot_changes(one.memories, one.initial).T)
    np.testing.assert_allclose(
        read.images[0].get_array(), attending.attention.mean(axis=(0, 2, 3, 4))[:, :3].T
    )
    low, high = moved.images[0].get_clim()
    changes = slot_changes(RMC.memories, RMC.initial)
    assert (low, high) == (min(changes.min(), 0.8 * changes.max()), changes.max())
    assert [label.get_text() for label in moved.get_yticklabels()] == ["slot 1", "slot 2", "slot 3"]
    assert [label.get_text() for label in state.get_yticklabels()] == ["state"]


def test_a_memory_that_never_moves_can_be_drawn() -> None:
    still = RecordedMemory("rmc", np.zeros((2, 3, 4, 5)), np.zeros((2, 4, 5)), np.zeros((2, 3, 1)), 1, 1)
    assert draw_slot_usage(still, title="").axes[0].images[0].get_clim() == (0, 1)
    assert draw_memory_evolution(still, title="").axes[0].get_ylim()[1] > 0


@pytest.mark.parametrize("draw", [draw_memory_evolution, draw_slot_changes, draw_slot_usage])
def test_bad_input(draw: Any) -> None:
    with pytest.raises(ValueError, match="at least one recorded memory, got none"):
        draw({}, title="")
    with pytest.raises(TypeError, match="'RMC' must be a RecordedMemory, got ndarray"):
        draw({"RMC": RMC.memories}, title="")
    with pytest.raises(ValueError, match=r"as many steps, got \{'RMC': 6, 'LSTM': 7\}"):
        draw({"RMC": RMC, "LSTM": memory(1, steps=7)}, title="")
    with pytest.raises(ValueError, match=r"mask must have shape \(B, T\) with B = 5, T = 6"):
        draw(RMC, title="", mask=MASK[:4])
    with pytest.raises(TypeError, match="mask must hold booleans, got float64"):
        draw(RMC, title="", mask=MASK.astype(float))
