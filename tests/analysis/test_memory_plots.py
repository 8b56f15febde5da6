"""What the memory's figures show: the numbers of `analysis.memory`, a line or row a slot, and the mask."""

from typing import Any

import numpy as np
import pytest

from relational_rnn.analysis import (
    RecordedMemory,
    draw_memory_evolution,
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
    """First and last edge of what marks the steps that count."""
    patches = [patch for patch in axes.patches if patch.get_gid() == "counted"]
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in patches]  # type: ignore[attr-defined]


def test_a_column_for_each_model_with_slots_shows_its_numbers() -> None:
    figure = draw_memory_evolution({"RMC": RMC, "Hybrid": HYBRID, "LSTM": LSTM}, title="Memory")
    assert len(figure.axes) == 2 * 3
    for column, (name, one) in enumerate((("RMC", RMC), ("Hybrid", HYBRID))):
        ranks, shares, norms = figure.axes[3 * column : 3 * column + 3]  # from the lowest up
        slots, width = one.memories.shape[2:]
        expected = {f"slot {slot + 1}": slot_norms(one.memories)[:, slot] for slot in range(slots)}
        expected["LSTM"] = np.sqrt(width / 16) * slot_norms(LSTM.memories)[:, 0]
        found = lines(norms)
        assert found.keys() == expected.keys()
        for label, values in expected.items():
            np.testing.assert_allclose(found[label], values)
            assert values.max() < norms.get_ylim()[1]
        np.testing.assert_allclose(lines(shares)["specialisation"], specialisation(one.memories))
        np.testing.assert_allclose(lines(ranks)["effective rank"], effective_rank(one.memories))
        assert ranks.get_ylim()[1] >= min(slots, width)
        assert [line.get_ydata()[0] for line in shares.lines][1] == pytest.approx(1 - 1 / slots)
        assert name in said(figure)
    assert "LSTM: norm of its state, scaled to the width of a slot" in said(figure)
    assert "Mean over 5 sequences." in said(figure)


def test_the_colours_of_the_families() -> None:
    norms = draw_memory_evolution({"RMC": RMC, "LSTM": LSTM}, title="").axes[2]
    colours = {line.get_label(): to_hex(line.get_color()).upper() for line in norms.lines}
    assert colours["LSTM"] == PALETTE["lstm"]
    assert len({colours[f"slot {slot}"] for slot in (1, 2, 3)} | {colours["LSTM"]}) == 4


def test_models_of_one_slot_alone_have_their_norms_as_they_are() -> None:
    (axes,) = draw_memory_evolution({"LSTM": LSTM, "one slot": memory(1, 4)}, title="").axes
    np.testing.assert_allclose(lines(axes)["LSTM"], slot_norms(LSTM.memories)[:, 0])
    np.testing.assert_allclose(lines(axes)["one slot"], slot_norms(memory(1, 4).memories)[:, 0])
    alone = draw_memory_evolution(LSTM, title="")
    assert "scaled" not in said(alone)
    assert not alone.legends
    assert alone.axes[0].get_ylabel() == "norm of the state"


def test_every_slot_is_named_or_of_many_every_nth() -> None:
    few = said(draw_memory_evolution(memory(16), title=""))
    assert all(f"slot {slot}" in few for slot in range(1, 17))
    many = said(draw_memory_evolution(memory(40), title=""))
    assert "slot 1 " in many
    assert "slot 40" in many
    assert many.count("slot ") - many.count("each slot ") <= 16


def test_the_steps_that_count_are_marked() -> None:
    runs = [(1.5, 2.5), (3.5, 5.5)]  # steps 2, and 4 to 5, counted from 1
    evolution = draw_memory_evolution(RMC, title="", mask=MASK)
    usage = draw_slot_usage(RMC, title="", mask=MASK)
    assert [marked(axes) for axes in evolution.axes] == [runs] * 3
    assert marked(usage.axes[0]) == runs
    assert "Shaded: the steps at which an answer counts." in said(evolution)
    assert "Marked above: the steps at which an answer counts." in said(usage)
    for figure in (draw_memory_evolution(RMC, title=""), draw_slot_usage(RMC, title="")):
        assert not any(marked(axes) for axes in figure.axes)
        assert "answer counts" not in said(figure)


def test_a_map_has_a_row_for_each_slot_and_a_column_for_each_step() -> None:
    figure = draw_slot_usage({"RMC": RMC, "LSTM": LSTM}, title="Memory")
    maps = [axes for axes in figure.axes if axes.images and axes.images[0].get_gid() == "changes"]
    for axes, one in zip(maps, (RMC, LSTM), strict=True):
        (image,) = axes.images
        changes = slot_changes(one.memories, one.initial).T
        np.testing.assert_allclose(image.get_array(), changes)
        assert image.get_clim() == (0, changes.max())
    assert [label.get_text() for label in maps[0].get_yticklabels()] == ["1", "2", "3"]
    assert [label.get_text() for label in maps[1].get_yticklabels()] == ["state"]


def test_a_memory_that_never_moves_can_be_drawn() -> None:
    still = RecordedMemory("rmc", np.zeros((2, 3, 4, 5)), np.zeros((2, 4, 5)), np.zeros((2, 3, 1)), 1, 1)
    assert draw_slot_usage(still, title="").axes[0].images[0].get_clim() == (0, 1)
    assert draw_memory_evolution(still, title="").axes[2].get_ylim()[1] > 0


@pytest.mark.parametrize("draw", [draw_memory_evolution, draw_slot_usage])
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
