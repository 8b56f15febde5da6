"""What factors do to a score, in words and drawn, from made-up results."""

import copy

import pytest

from relational_rnn.analysis import (
    draw_factor,
    draw_overview,
    factor_figure,
    factor_table,
    overview_figure,
    overview_table,
    points_table,
)
from relational_rnn.analysis.factor_overview import Row, overview_in_words
from relational_rnn.analysis.factors import Level, factor_in_words


def plain(table):
    """Return the rows of a table with hyphens for dashes."""
    return [(bold, [cell.replace("\N{EN DASH}", "-") for cell in cells]) for bold, cells in table.rows]


def run(test, validation, left, *, seed=0, parameters=100):
    score = {"test_accuracy": test, "validation_accuracy": validation, "examples_to_leave": left}
    score |= {"parameters": parameters, "seconds": 10.0, "examples": 640}
    score |= {"seconds_to_leave": left and left / 64, "task_reached": {}, "task_share": 1.0}
    return {"seed": seed, "trivial_accuracy": 0.5, "models": {"rmc": score}, "diverged": {}}


LOST = {"seed": 0, "trivial_accuracy": 0.5, "models": {}, "diverged": {"rmc": "nan"}}


def variant(values, *runs):
    models = {model: {} for one in runs for model in one["models"]}
    return {
        "name": str(values),
        "trivial_accuracy": 0.5,
        "values": values,
        "runs": list(runs),
        "models": models,
    }


ABLATION = {
    "task": "sorting",
    "title": "a task, one factor at a time",
    "models": ["rmc"],
    "base": {"num_heads": 4, "gate_style": "unit"},
    "factors": {"num_heads": {"values": [8, 1]}, "gate_style": {"values": ["none", "unit"]}},
    "variants": [
        variant({}, run(0.9, 0.8, 300), run(0.7, 0.8, 100, seed=1)),
        variant({"num_heads": 8}, run(0.95, 0.9, 200), run(0.85, 0.9, None, seed=1)),
        variant({"num_heads": 1}, run(0.5, 0.4, None), run(0.6, 0.4, None, seed=1)),
        variant({"gate_style": "none"}, LOST, run(0.75, 0.8, 64, seed=1)),
    ],
}

RATES = [0.001, 0.002, 0.003, 0.02, 0.05, 0.1]
SWEEP = {
    "task": "sorting",
    "title": "a task, sweep",
    "models": ["rmc"],
    "base": None,
    "factors": {
        "learning_rate": {"low": 0.001, "high": 0.1, "log": True, "step": None},
        "use_mlp": {"values": [True, False]},
    },
    "variants": [
        variant({"learning_rate": rate, "use_mlp": number % 2 == 0}, run(0.6 + number / 100, 0.9 - rate, 64))
        for number, rate in enumerate(RATES)
    ],
}


def test_the_table_of_a_factor_has_the_base_and_its_own_values():
    table = factor_table(ABLATION, "num_heads")
    assert table.columns == ("num_heads", "test %", "half way", "half way, s", "parameters", "seconds")
    assert [(bold, cells[:4]) for bold, cells in plain(table)] == [
        (False, ["1", "55.0 (50.0-60.0)", "never", "-"]),
        (False, ["4 (base)", "80.0 (70.0-90.0)", "200", "3"]),
        (True, ["8", "90.0 (85.0-95.0)", "200 (1 of 2)", "3"]),
        (False, ["trivial score", "50.0", "", ""]),
    ]


def test_diverged_runs_are_counted_and_left_out_of_means():
    rows = [cells for _, cells in plain(factor_table(ABLATION, "gate_style"))]
    assert rows[0][:3] == ["none, 1 diverged", "75.0", "64"]
    assert rows[1][0] == "unit (base)"
    not_given = copy.deepcopy(ABLATION)
    not_given["factors"]["gate_style"]["values"] = ["none"]
    rows = [cells[0] for _, cells in plain(factor_table(not_given, "gate_style"))]
    assert rows == ["unit (base)", "none, 1 diverged", "trivial score"]
    all_gone = copy.deepcopy(ABLATION)
    all_gone["variants"][3] = variant({"gate_style": "none"}, LOST)
    assert plain(factor_table(all_gone, "gate_style"))[0] == (False, ["none, 1 diverged", *5 * "-"])


def test_seconds_until_half_way_that_were_not_taken_are_a_dash():
    unknown = copy.deepcopy(ABLATION)
    for one in unknown["variants"]:
        for found in one["runs"]:
            for score in found.get("models", {}).values():
                score["seconds_to_leave"] = None
    assert plain(factor_table(unknown, "num_heads"))[1][1][2:4] == ["200", "-"]
    assert plain(overview_table(unknown))[0][1][2:] == ["200", "-"]


def test_a_sweeps_factor_takes_all_runs_with_a_value():
    first, second, _ = (cells for _, cells in plain(factor_table(SWEEP, "use_mlp")))
    assert first[:2] == ["true", "62.0 (60.0-64.0)"]
    assert second[:2] == ["false", "63.0 (61.0-65.0)"]


def test_a_range_has_a_row_for_each_part_of_its_axis():
    rows = [cells for _, cells in plain(factor_table(SWEEP, "learning_rate"))]
    assert [row[0] for row in rows] == ["0.001-0.002", "0.003", "0.02", "0.05-0.1", "trivial score"]
    assert rows[0][1] == "60.5 (60.0-61.0)"


def test_points_come_in_the_order_of_their_validation_score():
    table = points_table(SWEEP)
    assert table.columns == ("learning_rate", "use_mlp", "validation %", "test %")
    assert [cells[0] for _, cells in table.rows] == [f"{rate:g}" for rate in RATES]
    assert [bold for bold, _ in table.rows] == [True, *5 * [False]]
    assert points_table(SWEEP, most=2).rows == table.rows[:2]
    many = copy.deepcopy(SWEEP)
    for number in range(3):
        many["factors"][f"x{number}"] = {"values": [1]}
        for point in many["variants"]:
            point["values"][f"x{number}"] = 1
    assert points_table(many).columns == ("values", "validation %", "test %")
    assert points_table(many).rows[0][1][0] == "learning_rate 0.001, use_mlp true, x0 1, x1 1, x2 1"


def test_points_of_a_growing_task_are_the_better_the_more_of_it_they_reached():
    grown = copy.deepcopy(SWEEP)
    reached = [[3, 2], [4, 16], [3, 16], [3, 8], [3, 2], [3, 4]]  # of the rates from the best on
    for rate, task in zip(RATES, reached):
        (point,) = (p for p in grown["variants"] if p["values"]["learning_rate"] == rate)
        score = point["runs"][0]["models"]["rmc"]
        sizes = dict(zip(("objects", "dimensions"), task))
        score |= {"task_reached": sizes, "task_share": task[0] * task[1] / 64}
    table = points_table(grown)
    assert table.columns == ("learning_rate", "use_mlp", "task reached", "validation %", "test %")
    assert [cells[2] for _, cells in table.rows] == ["4x16", "3x16", "3x8", "3x4", "3x2", "3x2"]
    assert [cells[0] for _, cells in table.rows[-2:]] == ["0.001", "0.05"]
    other = copy.deepcopy(grown["variants"][0]["runs"][0])
    other["models"]["rmc"] |= {"task_reached": {"objects": 4, "dimensions": 16}, "task_share": 1.0}
    grown["variants"][0]["runs"].append(other)
    assert plain(points_table(grown))[2][1][2] == "3x2-4x16"  # a mean share of 35/64: after 3x16


@pytest.mark.parametrize(
    ("results", "factor"),
    [(ABLATION, "num_heads"), (ABLATION, "gate_style"), (SWEEP, "learning_rate"), (SWEEP, "use_mlp")],
)
def test_the_figure_shows_every_run(results, factor):
    pytest.importorskip("matplotlib")
    left, right = draw_factor(results, factor).axes
    own = [v for v in results["variants"] if factor in v["values"] or not v["values"]]
    scores = [r["models"]["rmc"] for v in own for r in v["runs"] if "rmc" in r["models"]]
    dots = [y for line in left.lines if line.get_marker() == "o" for y in line.get_ydata()]
    assert sorted(dots) == sorted(score["test_accuracy"] for score in scores)
    dots = [y for line in right.lines if line.get_marker() == "o" for y in line.get_ydata()]
    assert sorted(dots) == sorted(
        s["examples_to_leave"] for s in scores if s["examples_to_leave"] is not None
    )
    never = sum(score["examples_to_leave"] is None for score in scores)
    assert any(f"{never} of {len(scores)} runs" in text.get_text() for text in right.texts) == (never > 0)
    assert any("trivial score" in text.get_text() for text in left.texts)


def test_several_models_and_trivial_scores(tmp_path):
    pytest.importorskip("matplotlib")
    results = copy.deepcopy(ABLATION) | {"models": ["rmc", "lstm"]}
    for number, one in enumerate(results["variants"]):
        one["trivial_accuracy"] = 0.1 * number
        for found in one["runs"]:
            if "rmc" in found["models"]:
                found["models"]["lstm"] = found["models"]["rmc"] | {"test_accuracy": 0.3}
    rows = [cells for _, cells in plain(factor_table(results, "num_heads"))]
    assert [row[0] for row in rows[:2]] == ["1, RMC", "1, LSTM"]
    assert rows[-1][:2] == ["trivial score", "0.0-30.0"]
    (left, _) = draw_factor(results, "num_heads").axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["RMC", "LSTM"]
    assert factor_figure(results, "num_heads", tmp_path / "x.png").stat().st_size > 10_000


def beside(results, test_accuracy):
    """Return results with an LSTM beside the RMC; its scores are a function of a variant's values."""
    found = copy.deepcopy(results) | {"models": ["rmc", "lstm"]}
    for one in found["variants"]:
        for trained in one["runs"]:
            score = test_accuracy(one["values"])
            if score is None:
                trained["diverged"]["lstm"] = "nan"
            else:
                old = trained["models"].get("rmc", run(0.5, 0.5, 64)["models"]["rmc"])
                trained["models"]["lstm"] = old | {"test_accuracy": score, "validation_accuracy": score}
    return found


def test_points_of_several_models_have_rows_for_each_and_a_best_for_each():
    results = beside(SWEEP, lambda values: 0.3 + values["learning_rate"])  # best where the RMC is worst
    table = points_table(results)
    assert table.columns == ("model", "learning_rate", "use_mlp", "validation %", "test %")
    assert [cells[0] for _, cells in table.rows] == [*6 * ["RMC"], *6 * ["LSTM"]]
    assert [cells[1] for _, cells in table.rows[6:]] == [f"{rate:g}" for rate in reversed(RATES)]
    assert [place for place, (bold, _) in enumerate(table.rows) if bold] == [0, 6]
    assert table.rows[6][1][-2:] == ["40.0", "40.0"]
    assert [(bold, cells[1:]) for bold, cells in table.rows[:6]] == points_table(SWEEP).rows
    assert points_table(results, most=2).rows == [*table.rows[:2], *table.rows[6:8]]


def test_what_another_model_has_of_its_own_is_a_dash_and_no_second_score():
    sweep = copy.deepcopy(SWEEP) | {"factors": {"lstm.learning_rate": {"values": [0.001, 0.01]}}}
    sweep["variants"] = [
        variant({"lstm.learning_rate": rate}, run(0.9, 0.8, 64), run(0.7, 0.8, None, seed=1))
        for rate in (0.001, 0.01)
    ]
    results = beside(sweep, lambda values: 0.8 - 10 * values["lstm.learning_rate"])
    assert plain(points_table(results)) == [
        (True, ["RMC", "-", "80.0 (80.0-80.0)", "80.0 (70.0-90.0)"]),
        (True, ["LSTM", "0.001", "79.0 (79.0-79.0)", "79.0 (79.0-79.0)"]),
        (False, ["LSTM", "0.01", "70.0 (70.0-70.0)", "70.0 (70.0-70.0)"]),
    ]
    rows = plain(factor_table(results, "lstm.learning_rate"))
    assert [(bold, cells[0]) for bold, cells in rows] == [
        (True, "0.001, LSTM"),
        (False, "0.01, LSTM"),
        (False, "trivial score"),
    ]
    told = factor_in_words(results, "lstm.learning_rate")
    assert told == "Learning rate (LSTM): 0.001 is best, 79.0 %; 0.01 is worst, 70.0 %"
    ablation = {**results, "base": {"lstm.learning_rate": 0.001}}
    ablation["variants"][0]["values"] = {}
    labels = [cells[0] for _, cells in overview_table(ablation).rows]
    assert labels == ["base, RMC", "base, LSTM", "lstm.learning_rate: 0.01, LSTM"]
    assert overview_in_words(ablation).startswith("The base (LSTM) reaches 79.0 %; lstm.learning rate: 0.01")


def test_a_model_that_diverged_everywhere_has_no_best():
    results = beside(SWEEP, lambda values: None)
    rows = plain(points_table(results))
    assert [place for place, (bold, _) in enumerate(rows) if bold] == [0]
    assert rows[-1][1][-2:] == ["-, 1 diverged", "-"]
    rows = plain(factor_table(results, "use_mlp"))
    assert [(bold, cells[0]) for bold, cells in rows[:4]] == [
        (False, "true, RMC"),
        (False, "true, LSTM, 3 diverged"),
        (True, "false, RMC"),
        (False, "false, LSTM, 3 diverged"),
    ]
    assert factor_in_words(results, "use_mlp").splitlines()[1] == "MLP (LSTM): every training diverged"


def test_the_best_of_a_factor_is_marked_for_each_model_and_told_for_each():
    heads = {4: 0.9, 8: 0.7, 1: 0.8}
    results = beside(ABLATION, lambda values: heads[values.get("num_heads", 4)])
    rows = plain(factor_table(results, "num_heads"))
    assert [cells[0] for bold, cells in rows if bold] == ["4 (base), LSTM", "8, RMC"]
    assert factor_in_words(results, "num_heads").splitlines() == [
        "Heads (RMC): 8 is best, 90.0 %; 1 is worst, 55.0 %",
        "Heads (LSTM): 4 (base) is best, 90.0 %; 8 is worst, 70.0 %",
    ]
    assert overview_in_words(results).splitlines() == [
        "The base (RMC) reaches 80.0 %; heads 1 costs most, down to 55.0 %",
        "The base (LSTM) reaches 90.0 %; heads 8 costs most, down to 70.0 %",
    ]
    labels = [cells[0] for _, cells in plain(overview_table(results))]
    assert labels[-2:] == ["gate_style: none, RMC, 1 diverged", "gate_style: none, LSTM"]
    assert Level("none", False, results["variants"][3:]).label == "none, 1 RMC diverged"


def test_the_titles_of_several_models_are_on_the_figures():
    pytest.importorskip("matplotlib")
    results = beside(ABLATION, lambda values: 0.3)
    for figure in (draw_factor(results, "num_heads"), draw_overview(results)):
        shown = [text.get_text() for text in figure.texts]
        assert any("(RMC)" in text and "(LSTM)" in text for text in shown)


def test_the_overview_of_an_ablation_shows_every_run_once():
    pytest.importorskip("matplotlib")
    figure = draw_overview(ABLATION)
    left, right = figure.axes
    scores = [r["models"]["rmc"] for v in ABLATION["variants"] for r in v["runs"] if "rmc" in r["models"]]

    def dots(axes):
        return sorted(x for line in axes.lines if line.get_marker() == "o" for x in line.get_xdata())

    assert dots(left) == sorted(score["test_accuracy"] for score in scores)
    assert dots(right) == sorted(s["examples_to_leave"] for s in scores if s["examples_to_leave"] is not None)
    never = [text.get_text() for text in right.texts]
    assert never == ["never", "\N{MULTIPLICATION SIGN} 2 of 2", "\N{MULTIPLICATION SIGN} 1 of 2"]
    note, title, about, *named = [text.get_text() for text in figure.texts]
    assert named == ["base", "heads (base: 4)", "1", "8", "gate style: none, 1 diverged"]
    assert title == "The base reaches 80.0 %; heads 1 costs most, down to 55.0 %"
    assert about == ABLATION["title"]
    assert "Thin vertical line: mean of 'base'." in note.replace("\n", " ")


def test_an_overview_names_what_loses_everything():
    results = copy.deepcopy(ABLATION)
    for variant in results["variants"]:
        variant["trivial_accuracy"] = 0.6
    assert overview_in_words(results) == "At the trivial 60.0 %: heads 1; the base reaches 80.0 %"


def test_a_factor_in_words():
    assert factor_in_words(ABLATION, "num_heads") == "Heads: 8 is best, 90.0 %; 1 is worst, 55.0 %"


def test_an_overview_in_words_of_its_own():
    pytest.importorskip("matplotlib")
    first, second = (Level(None, False, [one]) for one in ABLATION["variants"][:2])
    rows = [Row("as it was", first, name=True), Row("otherwise", second, name=False)]
    figure = draw_overview(ABLATION, rows)
    texts = [text.get_text() for text in figure.texts]
    assert {"as it was", "otherwise"} <= set(texts)
    assert len(figure.axes[0].get_yticks()) == 2


def test_the_overview_table_has_every_variant_once():
    assert [(bold, cells) for bold, cells in plain(overview_table(ABLATION))] == [
        (True, ["base", "80.0 (70.0-90.0)", "200", "3"]),
        (False, ["num_heads: 1", "55.0 (50.0-60.0)", "never", "-"]),
        (False, ["num_heads: 8", "90.0 (85.0-95.0)", "200 (1 of 2)", "3"]),
        (False, ["gate_style: none, 1 diverged", "75.0", "64", "1"]),
    ]


def test_the_overview_of_several_models_of_which_none_left(tmp_path):
    pytest.importorskip("matplotlib")
    results = copy.deepcopy(ABLATION) | {"models": ["rmc", "lstm"]}
    for one in results["variants"]:
        for found in one["runs"]:
            if "rmc" in found["models"]:
                found["models"]["rmc"]["examples_to_leave"] = None
                found["models"]["lstm"] = found["models"]["rmc"]
    left, right = draw_overview(results).axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["RMC", "LSTM"]
    assert sum("of 2" in text.get_text() for text in right.texts) == 6
    assert overview_figure(results, tmp_path / "x.png").stat().st_size > 10_000
