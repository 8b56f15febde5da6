"""What the figures show: every name, the trivial line, the marks; and that no text is cut off or overlaps."""

import functools
from itertools import combinations
from pathlib import Path

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
    StageChange,
    accuracy_bars,
    attention_heatmap,
    cost_bars,
    draw_accuracy_bars,
    draw_attention_heatmap,
    draw_cost_bars,
    draw_generalisation,
    draw_memory_evolution,
    draw_sample_efficiency,
    draw_slot_usage,
    draw_training_curves,
    generalisation,
    memory_evolution,
    sample_efficiency,
    save,
    slot_usage,
    training_curves,
)
from relational_rnn.analysis.style import PALETTE, colour_of, new_figure, paper_style

matplotlib = pytest.importorskip("matplotlib")
from matplotlib.colors import to_hex, to_rgb  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.text import Text  # noqa: E402

LONG = "LSTM, grown task, authors' initialisation"


def curves(*, seconds: float = 120.0) -> list[Curve]:
    """An RMC that learns and three LSTMs that do not."""
    clock = np.linspace(0, seconds, 40)
    rising = 0.5 + 0.45 / (1 + np.exp((seconds / 2 - clock) / (seconds / 20)))
    sizes = [(3, 2), (3, 4), (3, 8), (3, 16), (4, 16), (5, 16), (6, 16), (7, 16), (8, 16)]
    at = np.array([0, 30, 36, 45, 60, 66, 80, 90, 110]) / 120
    stages = [
        StageChange(step, 1e6 * x, seconds * x, {"objects": objects, "dimensions": dimensions})
        for step, (x, (objects, dimensions)) in enumerate(zip(at, sizes, strict=True))
    ]
    flat = [0.5 + 0.004 * k + 0 * clock for k in range(3)]
    lstms = [LONG, "LSTM, grown task, torch initialisation", "LSTM, full task from the start"]
    return [
        Curve("RMC", "rmc", clock, clock * 9000, rising, stages),
        *(Curve(name, "lstm", clock, clock * 25000, y, stages) for name, y in zip(lstms, flat, strict=True)),
    ]


def many_curves() -> list[Curve]:
    clock = np.linspace(0, 2400, 30)
    return [
        *curves(seconds=2400.0),
        *(
            Curve(f"{model} with a rather long description", model, clock, clock * 3000, 0.25 + 0 * clock)
            for model in ("gru", "transformer", "dnc", "hybrid", "something new")
        ),
    ]


def bars(names: list[str], accuracies: list[float], best: int = 0) -> list[Bar]:
    models = ["rmc", *["lstm"] * len(names)]
    return [
        Bar(name, model, accuracy, 0.01, index in (0, best))
        for index, (name, model, accuracy) in enumerate(zip(names, models, accuracies, strict=False))
    ]


def example(
    steps: int = 4,
    heads: int = 2,
    slots: int = 4,
    rows: int = 5,
    reference: int | None = 1,
    label: str = "vector",
) -> AttentionExample:
    weights = np.random.default_rng(steps).random((steps, heads, slots, rows))
    weights /= weights.sum(axis=-1, keepdims=True)
    names = [f"{label} {step + 1}" for step in range(steps)]
    question = "Which vector is the 2nd farthest from vector 2?"
    return AttentionExample(weights, names, question, "vector 3", "vector 1", reference)


def memory(steps: int = 6, slots: int = 3, width: int = 4, model: str = "rmc") -> RecordedMemory:
    drawn = np.random.default_rng(slots).standard_normal((5, steps, slots, width)).cumsum(axis=1)
    return RecordedMemory(model, drawn, np.zeros((5, slots, width)), drawn[:, :, 0], 100, 90)


def memories(steps: int, name: str = "") -> dict[str, RecordedMemory]:
    slots = {f"RMC{name}": 16, f"Hybrid{name}": 40, f"RMC with one slot{name}": 1, f"LSTM{name}": 1}
    models = ("rmc", "hybrid", "rmc", "lstm")
    return {name: memory(steps, n, 4 + n % 5, model) for (name, n), model in zip(slots.items(), models)}


def efficiencies(thresholds: int, seeds: int, name: str = "") -> list[Efficiency]:
    """Models of which each needs more than the one before and reaches one threshold less."""
    return [
        Efficiency(
            model + name,
            model,
            [
                [1000.0 * 1.5 ** (row + seed + at) if at < thresholds - row - seed % 2 else None
                 for at in range(thresholds)]
                for seed in range(seeds)
            ],
        )
        for row, model in enumerate(PALETTE)
    ]  # fmt: skip


def axis(name: str, sizes: list[int], seeds: int = 3, suffix: str = "") -> SizeAxis:
    models = [
        Reach(
            model + suffix,
            model,
            [[(0.9 + seed / 30) ** (2 * size) for size in sizes] for seed in range(seeds)],
        )
        for model in PALETTE
    ]
    return SizeAxis(name, sizes, sizes[0], [0.1] * len(sizes), models)


def costs(names: list[str], parameters: int) -> list[Cost]:
    return [
        Cost(name, model, parameters + row, [0.1 * row, 0.3 * row], [150.0 + row] * 2)
        for row, (name, model) in enumerate(zip(names, PALETTE, strict=False))
    ]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]  # type: ignore[attr-defined]


FIGURES = {
    "curves": lambda: draw_training_curves(curves(), trivial_accuracy=0.5, title="Nth farthest"),
    "many curves": lambda: draw_training_curves(many_curves(), trivial_accuracy=0.25, title="long " * 40),
    "one point": lambda: draw_training_curves(
        [Curve("RMC", "rmc", [9], [100], [1.0])], trivial_accuracy=0.01, title="x"
    ),
    "standing bars": lambda: draw_accuracy_bars(
        bars(["RMC", "LSTM"], [1.0, 0.5]), trivial_accuracy=0.5, title="long " * 20
    ),
    "lying bars": lambda: draw_accuracy_bars(
        bars(["RMC", LONG, LONG * 3], [1.0, 0.49, 0.0]), trivial_accuracy=0.5, title="Nth farthest"
    ),
    "three small sequences": lambda: draw_attention_heatmap([example()] * 3, title="Attention"),
    "big sequences": lambda: draw_attention_heatmap([example(8, 8, 8, 9)] * 2, title="Attention"),
    "tiny, tile fusion": lambda: draw_attention_heatmap([example(1, 1, 3, 3, 0)], title="Attention"),
    "long step labels": lambda: draw_attention_heatmap([example(label="a red ball, object")] * 3, title="A"),
    "matrix input": lambda: draw_attention_heatmap([example(3, 2, 8, 12, None)] * 2, title="long " * 30),
    "one memory": lambda: draw_memory_evolution(memory(), title="Memory", mask=np.eye(5, 6) > 0),
    "one step of memory": lambda: draw_memory_evolution(memory(1), title="Memory"),
    "memory without slots": lambda: draw_memory_evolution(memory(slots=1), title="Memory"),
    "many memories": lambda: draw_memory_evolution(memories(200, " " + LONG), title="long " * 30),
    "one map of slots": lambda: draw_slot_usage(memory(16, 8), title="Memory", mask=np.eye(5, 16) > 0),
    "one step of slots": lambda: draw_slot_usage(memory(1), title="Memory"),
    "efficiency": lambda: draw_sample_efficiency(
        efficiencies(4, 3), accuracies=[0.3, 0.5, 0.9, 0.99], title="Sorting"
    ),
    "much efficiency": lambda: draw_sample_efficiency(
        efficiencies(11, 12, " with a rather long name"), accuracies=np.arange(11) / 10, title="long " * 30
    ),
    "nothing reached": lambda: draw_sample_efficiency(
        [Efficiency("RMC", "rmc", [[None]])], accuracies=[0.5], title="Sorting"
    ),
    "one size axis": lambda: draw_generalisation([axis("items", [8, 10, 12, 16])], title="Sorting"),
    "three size axes": lambda: draw_generalisation(
        [
            axis("sentences", [100, 125, 150, 200], 1, " " + LONG),
            axis("places", [6, 8]),
            axis("objects", [1, 2]),
        ],
        title="long " * 30,
    ),
    "cost": lambda: draw_cost_bars(costs(["RMC", "LSTM"], 41_000), title="Sorting"),
    "much cost": lambda: draw_cost_bars(costs([LONG] * 6, 123_456_789), title="long " * 30),
    "many maps of slots": lambda: draw_slot_usage(memories(200, " " + LONG * 2), title="long " * 30),
}


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_cut_off_or_lies_on_another(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = FIGURES[name]()
    drawn: list[Text] = []
    original = Text.draw

    @functools.wraps(original)
    def draw(self: Text, renderer: object) -> None:
        drawn.append(self)
        original(self, renderer)  # type: ignore[arg-type]

    monkeypatch.setattr(Text, "draw", draw)
    with paper_style():
        figure.canvas.draw()
    boxes = [(text.get_text(), text.get_window_extent()) for text in drawn if text.get_text().strip()]
    assert len(boxes) > 5
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.width, text
        assert box.y1 <= figure.bbox.height, text
    for (text, box), (other, other_box) in combinations(boxes, 2):
        width = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
        height = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
        assert min(width, height) <= 1.5, (
            f"{text!r} lies on {other!r}"
        )  # pixels; boxes have a rim without ink


def test_curves_show_every_name_the_trivial_line_and_the_last_values() -> None:
    figure = draw_training_curves(curves(), trivial_accuracy=0.4, title="Nth farthest")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [curve.name for curve in curves()]
    for axes in figure.axes:
        (line,) = [line for line in axes.lines if line.get_label() == "trivial score"]
        assert list(line.get_ydata()) == [0.4, 0.4]
        shown = [text.get_text() for text in axes.texts]
        assert "trivial score 40.0 %" in shown
        assert {"95.0 %", "50.0 %", "50.4 %", "50.8 %"} <= set(shown)
    assert [axes.get_xlabel() for axes in figure.axes] == ["training time (seconds)", "examples seen"]


def test_curves_of_one_family_share_the_colour_but_not_the_dashes() -> None:
    figure = draw_training_curves(curves(), trivial_accuracy=0.5, title="")
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    lstms = [lines[curve.name] for curve in curves() if curve.model == "lstm"]
    assert {to_hex(line.get_color()).upper() for line in lstms} == {PALETTE["lstm"]}
    assert len({repr(handle.get_linestyle()) + repr(handle._dash_pattern) for handle in lstms}) == 3
    assert to_hex(lines["RMC"].get_color()).upper() == PALETTE["rmc"]


def test_stages_are_those_of_the_rmc_and_may_be_absent() -> None:
    figure = draw_training_curves(curves()[::-1], trivial_accuracy=0.5, title="")
    shown = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert "RMC trains on objects \N{MULTIPLICATION SIGN} dimensions:" in shown
    assert "8\N{MULTIPLICATION SIGN}16" in shown
    fixed = [Curve(curve.name, curve.model, [1], [2], [0.5]) for curve in curves()]
    assert not any(
        "trains on" in text for text in texts(draw_training_curves(fixed, trivial_accuracy=0.5, title=""))
    )


def test_bars_stand_where_names_are_short_and_lie_where_they_are_long() -> None:
    standing = draw_accuracy_bars(bars(["RMC", "LSTM"], [0.9, 0.5]), trivial_accuracy=0.4, title="").axes[0]
    lying = draw_accuracy_bars(bars(["RMC", LONG], [0.9, 0.5]), trivial_accuracy=0.4, title="").axes[0]
    assert [patch.get_height() for patch in standing.patches] == [0.9, 0.5]
    assert [patch.get_width() for patch in lying.patches] == [0.9, 0.5]
    trivial = {
        axes: next(line for line in axes.lines if line.get_label() == "trivial score")
        for axes in (standing, lying)
    }
    assert list(trivial[standing].get_ydata()) == [0.4, 0.4]
    assert list(trivial[lying].get_xdata()) == [0.4, 0.4]
    assert [label.get_text() for label in lying.get_yticklabels()] == ["RMC", LONG]
    for axes in (standing, lying):
        assert {"90.0 \N{PLUS-MINUS SIGN} 1.0 %", "50.0 \N{PLUS-MINUS SIGN} 1.0 %"} <= {
            t.get_text() for t in axes.texts
        }


def test_intervals_stay_between_0_and_100_percent() -> None:
    figure = draw_accuracy_bars(bars(["RMC", "LSTM"], [1.0, 0.0]), trivial_accuracy=0.5, title="")
    ends = [segment[:, 1] for lines in figure.axes[0].collections for segment in lines.get_segments()]
    np.testing.assert_allclose(ends, [[0.99, 1.0], [0.0, 0.01]])


def test_bars_that_do_not_count_are_pale_and_explained() -> None:
    figure = draw_accuracy_bars(
        bars(["RMC", "LSTM a", "LSTM b"], [0.9, 0.4, 0.5], best=2), trivial_accuracy=0.5, title=""
    )
    colours = [to_rgb(patch.get_facecolor()) for patch in figure.axes[0].patches]
    assert colours[0] == to_rgb(PALETTE["rmc"])
    assert colours[2] == to_rgb(PALETTE["lstm"])
    assert min(colours[1]) > min(colours[2])
    assert any("full colour" in text for text in texts(figure))
    alone = draw_accuracy_bars(bars(["RMC", "LSTM"], [0.9, 0.5], best=1), trivial_accuracy=0.5, title="")
    assert not any("full colour" in text for text in texts(alone))


def test_heat_maps_show_the_weights_and_mark_the_reference() -> None:
    shown = example(3, 2, 4, 5, reference=2)
    figure = draw_attention_heatmap([shown], title="Attention")
    maps = {axes.get_gid(): axes for axes in figure.axes if axes.get_gid()}
    assert len(maps) == 3 * 2
    for head in range(2):
        for step in range(3):
            (image,) = maps[f"example 0 head {head} step {step}"].images
            np.testing.assert_array_equal(image.get_array(), shown.attention[step, head])
            assert image.get_clim() == (0.0, 1.0)
    (frame,) = [patch for patch in figure.findobj() if patch.get_gid() == "reference 0"]
    box, inside = (
        frame.get_window_extent(),
        [axes.get_window_extent() for gid, axes in maps.items() if "step 2" in gid],
    )
    assert all(
        box.x0 < cell.x0 and cell.x1 < box.x1 and box.y0 < cell.y0 and cell.y1 < box.y1 for cell in inside
    )
    assert box.x0 > maps["example 0 head 0 step 1"].get_window_extent().x1
    said = texts(figure)
    assert (
        "Which vector is the 2nd farthest from vector 2?\nanswer: vector 3, prediction: vector 1 (wrong)"
        in said
    )
    assert {"reference", "head 1", "head 2", "vector 1", "in", "attention weight"} <= set(said)


def test_without_an_input_row_or_a_reference_nothing_says_so() -> None:
    said = texts(draw_attention_heatmap([example(3, 2, 3, 3, reference=None)], title="Attention"))
    assert not {"in", "reference"} & set(said)
    assert not any("the input" in text for text in said)


def test_too_many_heads_leave_the_sharpest() -> None:
    weights = np.full((8, 8, 8, 9), 1 / 9)
    sharp = [1, 4, 5, 6]
    weights[:, sharp] = np.eye(8, 9)
    one = AttentionExample(weights, [f"vector {k}" for k in range(8)], "which?", "a", "a")
    said = texts(draw_attention_heatmap([one] * 3, title="Attention"))
    assert {text for text in said if text.startswith("head ")} == {f"head {head + 1}" for head in sharp}
    assert any("4 of 8 heads" in text.replace("\n", " ") for text in said)


def test_every_figure_becomes_a_png_of_sensible_size(tmp_path: Path) -> None:
    written = [
        training_curves(curves(), trivial_accuracy=0.5, title="a", path=tmp_path / "new/folder/curves.png"),
        accuracy_bars(
            bars(["RMC", "LSTM"], [0.9, 0.5]),
            trivial_accuracy=0.5,
            title="b",
            path=str(tmp_path / "bars.png"),
        ),
        attention_heatmap([example()], title="c", path=tmp_path / "attention.png"),
        memory_evolution(memories(9), title="d", path=tmp_path / "memory.png"),
        slot_usage(memories(9), title="e", path=tmp_path / "slots.png", mask=np.eye(5, 9) > 0),
        sample_efficiency(efficiencies(2, 2), accuracies=[0.5, 0.9], title="f", path=tmp_path / "few.png"),
        generalisation([axis("items", [3, 6])], title="g", path=tmp_path / "larger.png"),
        cost_bars(costs(list(PALETTE), 7), title="h", path=tmp_path / "cost.png"),
    ]
    for path in written:
        data = path.read_bytes()
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
        assert 600 <= width <= 2000, path
        assert 400 <= height <= 2500, path
        assert [
            entry.name for entry in path.parent.iterdir() if entry.is_file() and entry.suffix != ".png"
        ] == []


def test_a_failed_save_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")
    with paper_style():
        figure = new_figure(2, 2)

    def broken(target: Path, **_: object) -> None:
        Path(target).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", broken)
    with pytest.raises(OSError, match="disk full"):
        save(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with paper_style():
        figure = new_figure(2, 2)
    with pytest.raises(ValueError, match=r"must be one of '.png', '.pdf', '.svg', got '.jpeg'"):
        save(figure, tmp_path / "figure.jpeg")


def test_drawing_leaves_the_users_settings_alone() -> None:
    with matplotlib.rc_context({"font.size": 23.0, "axes.facecolor": "black"}):
        figure = draw_accuracy_bars(bars(["RMC"], [0.9]), trivial_accuracy=0.5, title="$x_1$")
        assert matplotlib.rcParams["font.size"] == 23.0
    assert figure.axes[0].get_xticklabels()[0].get_fontsize() == 11.0
    assert to_rgb(figure.axes[0].get_facecolor()) == (1.0, 1.0, 1.0)
    assert "$x_1$" in texts(figure)


def test_colours_are_fixed_by_family() -> None:
    assert len(set(PALETTE.values()) | {colour_of("unheard of")}) == len(PALETTE) + 1
    assert colour_of("RMC") == PALETTE["rmc"]
