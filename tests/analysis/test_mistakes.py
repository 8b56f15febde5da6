"""Mistakes on Nth farthest: counted by hand, against the plain definition, and drawn."""

import numpy as np
import pytest

from relational_rnn.analysis import draw_mistakes, mistakes, mistakes_figure
from relational_rnn.tasks.nth_farthest import NthFarthest, NthFarthestBatch, sample, trivial_policy

TASK = NthFarthest(objects=4, dimensions=3)


def on_a_line(n):
    """Four objects at 0 (the reference, label 2), 1, 3 and 7, labels 2, 0, 3, 1, shown in another order."""
    vectors = np.array([[[7.0], [0.0], [1.0], [3.0]]], dtype=np.float32)
    labels = np.array([[1, 2, 0, 3]])
    answer = [1, 3, 0, 2][n]
    return NthFarthestBatch(vectors, np.array([answer]), vectors, labels, np.array([n]), np.array([2]))


@pytest.mark.parametrize(
    ("n", "said", "margin", "one_rank_off"),
    [(0, 1, 4, None), (0, 3, 4, 1.0), (1, 0, 2, 1.0), (1, 2, 2, 0.0), (2, 1, 1, 0.0), (2, 2, 1, 1.0)],
)
def test_by_hand(n, said, margin, one_rank_off):
    found = mistakes(on_a_line(n), np.array([said]), groups=3)
    right = said == on_a_line(n).targets[0]
    part = {"mean": margin, "accuracy": float(right), "share_of_mistakes": float(not right)}
    assert found["margin"] == [part]
    assert found["one_rank_off"] == one_rank_off
    assert found["n"] == [float(right) if rank == n else None for rank in range(4)]
    assert found["reference_step"] == [None, float(right), None, None]
    answer = on_a_line(n).targets[0]
    assert found["answer"] == [float(right) if label == answer else None for label in range(4)]


def test_the_reference_itself_has_no_margin():
    found = mistakes(on_a_line(3), np.array([0]))
    assert (found["margin"], found["one_rank_off"], found["accuracy"]) == ([], None, 0.0)


def test_against_the_definition():
    generator = np.random.default_rng(0)
    batch = sample(TASK, 500, generator)
    said = trivial_policy(TASK, batch.inputs, generator)
    found = mistakes(batch, said, groups=5)
    margins, neighbours, wrong = [], 0, 0
    for row in range(500):
        vectors = {int(label): v.astype(float) for label, v in zip(batch.labels[row], batch.vectors[row])}
        centre = vectors[int(batch.reference[row])]
        away = {label: np.linalg.norm(v - centre) for label, v in vectors.items()}
        order = sorted(away, key=lambda label: -away[label])
        n = int(batch.n[row])
        if n == 3:
            continue
        others = [order[n - 1]] * (n > 0) + [order[n + 1]]
        margins.append((min(abs(away[order[n]] - away[other]) for other in others), said[row] == order[n]))
        wrong += said[row] != order[n]
        neighbours += said[row] in others
    margins.sort(key=lambda pair: pair[0])
    for part, expected in zip(found["margin"], np.array_split(np.array(margins), 5), strict=True):
        assert part["mean"] == pytest.approx(expected[:, 0].mean())
        assert part["accuracy"] == pytest.approx(expected[:, 1].mean())
        assert part["share_of_mistakes"] == pytest.approx((1 - expected[:, 1]).sum() / wrong)
    assert found["one_rank_off"] == pytest.approx(neighbours / wrong)
    assert found["n"][3] == 1.0
    assert all(0.2 < share < 0.5 for share in found["n"][:3])  # a guess among three


def test_the_figure_shows_every_number(tmp_path):
    pytest.importorskip("matplotlib")
    batch = sample(TASK, 400, np.random.default_rng(1))
    found = {
        "rmc": {"label": "RMC", **mistakes(batch, batch.targets)},
        "lstm": {
            "label": "LSTM",
            **mistakes(batch, trivial_policy(TASK, batch.inputs, np.random.default_rng(2))),
        },
    }
    panels = draw_mistakes(found, title="Mistakes").axes
    drawn = [[[list(axis) for axis in line.get_data()] for line in axes.lines] for axes in panels]
    trivial = [lines[: len(lines) - len(found)] for lines in drawn]
    assert [[y for _, (y, _) in lines] for lines in trivial] == [[1 / 3], [1 / 3, 1.0], [0.5]]
    assert [x for x, _ in trivial[1]] == [[-0.5, 2.5], [2.5, 3.5]]
    for place, (model, one) in enumerate(found.items()):
        lines = [lines[place - len(found)] for lines in drawn]
        assert lines[0] == [[p["mean"] for p in one["margin"]], [p["accuracy"] for p in one["margin"]]]
        assert lines[1] == [[0, 1, 2, 3], one["n"]], model
        assert lines[2] == [[1, 2, 3, 4], one["reference_step"]]
    path = mistakes_figure(found, title="Mistakes", path=tmp_path / "x.png")
    assert path.stat().st_size > 10_000


def test_predictions_that_do_not_fit():
    batch = sample(TASK, 5, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"predictions must be \(5,\), got \(4,\)"):
        mistakes(batch, batch.targets[:4])
    with pytest.raises(ValueError, match="groups must be an integer of at least 1, got 0"):
        mistakes(batch, batch.targets, groups=0)
