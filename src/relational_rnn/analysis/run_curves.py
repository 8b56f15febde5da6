"""The curves of a run, from its results and the points of its trainings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from relational_rnn.analysis.curves import Curve, StageChange
from relational_rnn.analysis.losses import Line, Losses
from relational_rnn.analysis.supervised import mean_curve
from relational_rnn.analysis.tables import marked, regime_of
from relational_rnn.training.config import RunConfig
from relational_rnn.training.models import LEADER
from relational_rnn.training.results import RunResult, TrainingResult
from relational_rnn.training.run_folder import RunFolder

Points = Mapping[str, Sequence[dict[str, Any]]]
"""Name of a training -> records of it, in order."""
BINS = 60
"""Points of a curve of the training loss; each is the mean of what was logged in between."""


def points_of(results: RunResult, folder: RunFolder) -> dict[str, list[dict[str, Any]]]:
    """Return the points of every training's curve.

    Raises:
        BadFile: a training has none.
    """
    names = [one.name for model in results.models.values() for one in model.trainings]
    return {name: folder.evaluations(name) for name in names}


def curves_of(config: RunConfig, results: RunResult, evaluations: Points) -> list[Curve]:
    """Return a curve for each training regime: mean and range over the seeds, a single RMC with stages."""
    found = []
    for family, label, trainings in regimes_of(results):
        curve = mean_curve(label, family, [evaluations[one.name] for one in trainings])
        if family == LEADER and results.seeds == 1 and trainings[0].changes:
            curve = dataclasses.replace(curve, stages=_stages(config, trainings[0], curve))
        found.append(curve)
    return found


def last_of_each(results: RunResult, curves: Sequence[Curve]) -> dict[str, float]:
    """Return by model label the last value of the curve of its best training regime."""
    ends: dict[str, float] = {}
    for curve in curves:
        label = results.models[curve.model].label
        ends[label] = max(curve.accuracy[-1], ends.get(label, 0.0))
    return ends


def losses_of(results: RunResult, records: Points) -> list[Losses]:
    """Return the loss on training batches and on validation examples of each training regime.

    Args:
        results: of the run.
        records: all of its metrics.
    """
    found = []
    for family, label, trainings in regimes_of(results):
        lines = [
            _mean_line([_points(records[one.name], name) for one in trainings], bins)
            for name, bins in (("loss", BINS), ("validation_loss", None))
        ]
        if all(len(line.examples) for line in lines):
            found.append(Losses(label, family, *lines))
    return found


def regimes_of(results: RunResult) -> list[tuple[str, str, list[TrainingResult]]]:
    """Return model, label and trainings of each training regime, those that diverged only if all did."""
    found = []
    for family, model in results.models.items():
        count = len(model.trainings) // results.seeds
        for regime in range(count):
            trainings = model.trainings[regime::count]
            # One that diverged ends early: a mean with it would too.
            drawn = [one for one in trainings if one.diverged is None] or list(trainings)
            found.append((family, marked(regime_of(trainings[0]), trainings), drawn))
    return found


def _points(records: Sequence[dict[str, Any]], name: str) -> np.ndarray:
    """Return examples and finite losses, (points, 2)."""
    points = [(one["examples"], one[name]) for one in records if name in one and one[name] is not None]
    values = np.array(points, dtype=float).reshape(-1, 2)
    return np.asarray(values[np.isfinite(values).all(axis=1) & (values[:, 1] > 0)])


def _mean_line(seeds: Sequence[np.ndarray], bins: int | None) -> Line:
    """Return mean and range over the seeds, up to where the first of them ended.

    Args:
        seeds: examples and losses of each.
        bins: how many equal parts of the training to take means over; None for points that the seeds share.
    """
    if not min(map(len, seeds)):
        return Line([], [], [], [])
    if bins is None:
        length = min(map(len, seeds))
        examples, losses = seeds[0][:length, 0], np.stack([one[:length, 1] for one in seeds])
    else:  # what is logged between evaluations may be so at other steps with each seed
        edges = np.linspace(0.0, min(one[-1, 0] for one in seeds), bins + 1)
        parts = np.stack([_means_between(one, edges) for one in seeds])
        known = np.isfinite(parts).all(axis=0)
        examples, losses = ((edges[1:] + edges[:-1]) / 2)[known], parts[:, known]
    several = len(seeds) > 1
    return Line(
        examples.tolist(),
        losses.mean(0).tolist(),
        losses.min(0).tolist() if several else [],
        losses.max(0).tolist() if several else [],
    )


def _means_between(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the mean of the losses between each two edges, NaN where there are none."""
    place = np.clip(np.searchsorted(edges, points[:, 0]) - 1, 0, len(edges) - 2)
    inside = points[:, 0] <= edges[-1]
    counts = np.bincount(place[inside], minlength=len(edges) - 1)
    sums = np.bincount(place[inside], points[inside, 1], minlength=len(edges) - 1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _stages(config: RunConfig, score: TrainingResult, curve: Curve) -> list[StageChange]:
    size = config.of(LEADER).budget.batch_size
    shown = {field.name for field in dataclasses.fields(config.task)}
    return [
        StageChange(
            change.step,
            change.step * size,
            float(np.interp(change.step * size, [0, *curve.examples], [0, *curve.seconds]))
            if curve.seconds
            else 0.0,
            {name: value for name, value in change.sizes.items() if name in shown},
        )
        for change in score.changes or ()
    ]
