"""What the figures show: every name, the trivial line, the marks; and that all of it can be read."""

import functools
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relational_rnn.analysis import (
    Attention,
    Bar,
    Cost,
    Curve,
    Efficiency,
    Line,
    Losses,
    Place,
    Reach,
    RecordedMemory,
    SizeAxis,
    SlotContents,
    StageChange,
    accuracy_bars,
    attention_maps,
    cost_bars,
    draw_accuracy_bars,
    draw_attention,
    draw_cost_bars,
    draw_factor,
    draw_gates,
    draw_generalisation,
    draw_loss_curves,
    draw_memory_evolution,
    draw_mistakes,
    draw_overview,
    draw_plane,
    draw_sample_efficiency,
    draw_slot_changes,
    draw_slot_contents,
    draw_slot_usage,
    draw_training_curves,
    generalisation,
    memory_evolution,
    sample_efficiency,
    save,
    slot_usage,
    training_curves,
)
from relational_rnn.analysis.style import MARKERS, PALETTE, colour_of, new_figure, paper_style

matplotlib = pytest.importorskip("matplotlib")
from matplotlib.colors import to_hex, to_rgb  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
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


def attention(steps: int = 4, heads: int = 2, slots: int = 4, rows: int = 5, blocks: int = 1) -> Attention:
    weights = np.random.default_rng(steps).random((steps, blocks, heads, slots, rows))
    return Attention(weights / weights.sum(axis=-1, keepdims=True))


def over_steps(steps: int, heads: int, layers: int = 1) -> Attention:
    """As of a Transformer: each step looks at itself and the earlier ones."""
    weights = np.tril(np.ones((steps, steps))) / np.arange(1, steps + 1)[:, None]
    weights[np.triu_indices(steps, 1)] = np.nan
    return Attention(np.broadcast_to(weights[:, None, None, None], (steps, layers, heads, 1, steps)), True)


def losses(name: str, model: str, seeds: int = 2) -> Losses:
    at = np.linspace(100, 9000, 70)
    fall = 2 * np.exp(-at / 2000) + 0.01
    band = (fall * 0.8, fall * 1.2) if seeds > 1 else ((), ())
    return Losses(name, model, Line(at, fall, *band), Line(at[::10], fall[::10], *(b[::10] for b in band)))


def ablation() -> dict[str, Any]:
    """Two factors, one of two values, of two models; one of which never learns."""

    def variant(name: str, values: dict[str, Any], rmc: float) -> dict[str, Any]:
        scores = {
            "test_accuracy": rmc, "validation_accuracy": rmc,
            "examples_to_leave": 9000 if rmc > 0.7 else None, "seconds_to_leave": 9.0,
            "parameters": 10, "seconds": 20.0, "task_reached": {},
        }  # fmt: skip
        lstm = {**scores, "test_accuracy": 0.5, "examples_to_leave": None}
        run = {"models": {"rmc": scores, "lstm": lstm}, "diverged": {}}
        return {
            "name": name, "values": values, "trivial_accuracy": 0.5, "runs": [run, run],
            "models": {"rmc": {}, "lstm": {}},
        }  # fmt: skip

    return {
        "task": "nth-farthest",
        "title": "Nth farthest, one factor at a time",
        "models": ["rmc", "lstm"],
        "base": {"num_heads": 4, "use_attention": True},
        "factors": {"num_heads": {"values": [1, 4]}, "use_attention": {"values": [True, False]}},
        "variants": [
            variant("base", {}, 0.95),
            variant("num_heads=1", {"num_heads": 1}, 0.8),
            variant("use_attention=false", {"use_attention": False}, 0.51),
        ],
    }


def mistakes() -> dict[str, dict[str, Any]]:
    parts = [{"mean": 0.01 * 2**k, "accuracy": 1 - 0.3 / 2**k, "share_of_mistakes": 0.1} for k in range(6)]
    one = {"margin": parts, "n": [0.9] * 7 + [1.0], "reference_step": [0.9] * 8}
    return {"rmc": {"label": "RMC", **one}, "lstm": {"label": LONG, **one}}


def contents() -> SlotContents:
    readings = {step: {"vector": [0.9] * 8, "distance": [0.2] * 8} for step in (2, 6)}
    return SlotContents(np.eye(8), np.zeros(8), 0.0, 4, {**readings, 4: {"vector": [0.5] * 8}})


def memory(steps: int = 6, slots: int = 3, width: int = 4, model: str = "rmc") -> RecordedMemory:
    generator = np.random.default_rng(slots)
    drawn = generator.standard_normal((5, steps, slots, width)).cumsum(axis=1)
    gates = generator.random((2, 5, steps, slots, 1))
    weights = attention(steps, 2, slots, slots + 1).weights[None].repeat(5, 0) if slots > 1 else None
    start = np.zeros((5, slots, width))
    return RecordedMemory(model, drawn, start, drawn[:, :, 0], 100, 90, weights, *gates)


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
    "one head": lambda: draw_attention({"RMC": attention(1, 1, 3, 3)}, title="Attention"),
    "attention of two models": lambda: draw_attention(
        {"RMC": attention(8, 4, 8, 9), "Transformer": over_steps(8, 4, 2)},
        title="Attention",
        about="long " * 60,
        step_labels=[f"v{step}" for step in range(8)],
        marked={"the step that brings the reference": [3], "an answer is expected": [6, 7]},
    ),
    "many heads, long sequence": lambda: draw_attention(
        {"RMC": attention(60, 8, 8, 12, 2)}, title="long " * 30
    ),
    "losses": lambda: draw_loss_curves(
        [losses(f"{model} {LONG}", model, 1 + nth % 2) for nth, model in enumerate(PALETTE)], title="x " * 99
    ),
    "gates": lambda: draw_gates(memories(40), title="Gates", mask=np.eye(5, 40) > 0),
    "changes": lambda: draw_slot_changes(memories(40), title="Changes", about="sorting"),
    "mistakes": lambda: draw_mistakes(mistakes(), title="long " * 30),
    "contents": lambda: draw_slot_contents(contents(), title="long " * 30, about="Nth farthest"),
    "overview": lambda: draw_overview(ablation()),
    "factor": lambda: draw_factor(ablation(), "num_heads"),
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
    "a plane": lambda: draw_plane(
        [Place("RMC", "rmc", [0.99, 1.0], [0.9, 1.0]), Place("LSTM", "lstm", [0.2], [1.0])],
        across="recall",
        up="tracking",
        title="Both",
    ),
    "a full plane": lambda: draw_plane(
        [Place(f"{LONG} {model}", model, [0.0, 1.0], [0.0, 1.0]) for model in PALETTE],
        across="recall",
        up="tracking",
        title="long " * 30,
    ),
    "cost": lambda: draw_cost_bars(costs(["RMC", "LSTM"], 41_000), title="Sorting"),
    "much cost": lambda: draw_cost_bars(costs([LONG] * 6, 123_456_789), title="long " * 30),
    "many maps of slots": lambda: draw_slot_usage(memories(200, " " + LONG * 2), title="long " * 30),
}


@pytest.mark.parametrize("name", FIGURES)
def test_all_of_it_can_be_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every artist is inside, no text lies on another, text stands out, lines differ in grey."""
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
    width, height = figure.get_size_inches()
    everything = figure.get_tightbbox()
    assert everything.x0 >= 0, everything
    assert everything.y0 >= 0, everything
    assert everything.x1 <= width, (everything, width)
    assert everything.y1 <= height, (everything, height)
    boxes = [(text, text.get_window_extent()) for text in drawn if text.get_text().strip()]
    assert len(boxes) > 5
    for (text, box), (other, other_box) in combinations(boxes, 2):
        across = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
        along = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
        # Pixels; boxes have a rim without ink.
        assert min(across, along) <= 1.5, f"{text.get_text()!r} lies on {other.get_text()!r}"
    pixels = np.asarray(figure.canvas.buffer_rgba())[::-1, :, :3] / 255.0  # type: ignore[attr-defined]
    for text, box in boxes:
        behind = pixels[int(box.y0) : int(box.y1) + 1, int(box.x0) : int(box.x1) + 1].reshape(-1, 3)
        shades, counts = np.unique(behind, axis=0, return_counts=True)
        assert contrast(to_rgb(text.get_color()), shades[counts.argmax()]) >= 4.5, text.get_text()
    for axes in figure.axes:
        lines = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
        for line, other_line in combinations(lines, 2):
            assert differ_in_grey(line, other_line), (line.get_label(), other_line.get_label())


def luminance(colour: Any) -> float:
    """Of WCAG: the relative luminance of an sRGB colour."""
    channels = np.asarray(colour, dtype=float)
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(colour: Any, other: Any) -> float:
    """Of WCAG, 1 to 21; small text needs 4.5."""
    low, high = sorted((luminance(colour), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def differ_in_grey(line: Line2D, other: Line2D) -> bool:
    """Whether mark, dashes or lightness tell two lines apart."""
    marks = line.get_marker() != other.get_marker()
    dashes = line._dash_pattern != other._dash_pattern  # type: ignore[attr-defined]
    return marks or dashes or contrast(to_rgb(line.get_color()), to_rgb(other.get_color())) > 1.5


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


def test_bars_that_were_not_chosen_are_pale_and_explained() -> None:
    figure = draw_accuracy_bars(
        bars(["RMC", "LSTM a", "LSTM b"], [0.9, 0.4, 0.5], best=2), trivial_accuracy=0.5, title=""
    )
    colours = [to_rgb(patch.get_facecolor()) for patch in figure.axes[0].patches]
    assert colours[0] == to_rgb(PALETTE["rmc"])
    assert colours[2] == to_rgb(PALETTE["lstm"])
    assert min(colours[1]) > min(colours[2])
    assert any("Pale:" in text for text in texts(figure))
    alone = draw_accuracy_bars(bars(["RMC", "LSTM"], [0.9, 0.5], best=1), trivial_accuracy=0.5, title="")
    assert not any("Pale:" in text for text in texts(alone))


def test_only_the_highest_value_is_bold() -> None:
    of_bars = draw_accuracy_bars(bars(["RMC", "LSTM"], [0.4, 0.5]), trivial_accuracy=0.3, title="")
    low, high = [Curve("RMC", "rmc", [9], [9], [0.4]), Curve("LSTM", "lstm", [9], [9], [0.5])]
    of_curves = draw_training_curves([low, high], trivial_accuracy=0.3, title="")
    for figure in (of_bars, of_curves):
        bold = {text.get_text() for text in figure.axes[0].texts if text.get_fontweight() == "bold"}
        assert {text[:4] for text in bold} == {"50.0"}


def test_the_seeds_are_dots_where_they_are() -> None:
    bar = Bar("RMC", "rmc", 0.8, seeds=(0.7, 0.9))
    (axes,) = draw_accuracy_bars([bar], trivial_accuracy=0.3, title="").axes
    (dots,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert list(dots.get_ydata()) == [0.7, 0.9]


def test_curves_without_seconds_have_one_panel() -> None:
    figure = draw_training_curves(
        [Curve("RMC", "rmc", [], [1, 2], [0.4, 0.5])], trivial_accuracy=0.3, title=""
    )
    assert [axes.get_xlabel() for axes in figure.axes] == ["examples seen"]


def test_attention_maps_show_the_weights_and_what_the_input_gets() -> None:
    shown = attention(3, 2, 4, 5)
    figure = draw_attention({"RMC": shown}, title="Attention", marked={"the reference": [2]})
    maps = [axes.images[0] for axes in figure.axes if axes.images and axes.images[0].get_gid() == "map"]
    bars_ = [
        [patch.get_height() for patch in axes.patches]
        for axes in figure.axes
        if any(patch.get_gid() == "input" for patch in axes.patches)
    ]
    means = shown.weights[:, 0].mean(axis=2)  # (T, H, M)
    for head, (image, heights) in enumerate(zip(maps, bars_, strict=True)):
        np.testing.assert_allclose(image.get_array(), means[:, head, :4].T)
        np.testing.assert_allclose(heights, means[:, head, 4])
        assert image.get_clim() == (0.0, means[..., :4].max())
    frames = [patch for patch in figure.findobj() if patch.get_gid() == "marked"]
    assert len(frames) == 2  # one above each head
    said = texts(figure)
    assert {"head 1", "head 2", "weight", "input", "slot"} <= set(said)
    assert any("Thick line above a map: the reference." in text for text in said)


def test_without_an_input_row_nothing_says_so() -> None:
    said = texts(draw_attention({"RMC": attention(3, 2, 3, 3)}, title="Attention"))
    assert "input" not in said
    assert not any("the input" in text for text in said)


def test_too_many_heads_leave_the_sharpest() -> None:
    weights = np.full((5, 2, 8, 8, 9), 1 / 9)
    sharp = [0, 1, 4, 6]
    for block in (0, 1):
        weights[:, block, sharp] = np.eye(8, 9)[0]
    said = texts(draw_attention({"RMC": Attention(weights)}, title="Attention"))
    named = {text for text in said if text.startswith("head ")}
    assert named == {f"head {head + 1}, block {block}" for head in sharp for block in (1, 2)}
    assert any("8 of 16 heads" in text.replace("\n", " ") for text in said)


def test_every_figure_becomes_a_png_of_sensible_size(tmp_path: Path) -> None:
    written = [
        training_curves(curves(), trivial_accuracy=0.5, title="a", path=tmp_path / "new/folder/curves.png"),
        accuracy_bars(
            bars(["RMC", "LSTM"], [0.9, 0.5]),
            trivial_accuracy=0.5,
            title="b",
            path=str(tmp_path / "bars.png"),
        ),
        attention_maps({"RMC": attention()}, title="c", path=tmp_path / "attention.png"),
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
        assert 300 <= height <= 2500, path
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
    assert len(set(zip(PALETTE.values(), MARKERS.values()))) == len(PALETTE) == len(MARKERS)
    assert colour_of("unheard of") not in PALETTE.values()
    assert colour_of("RMC") == PALETTE["rmc"]
