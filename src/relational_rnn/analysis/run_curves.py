"""The curves of a run, from its folder."""

from __future__ import annotations

import dataclasses
from typing import Any

from relational_rnn.analysis.curves import Curve, StageChange
from relational_rnn.analysis.supervised import mean_curve
from relational_rnn.analysis.tables import marked, way_of
from relational_rnn.training.config import RunConfig
from relational_rnn.training.models import LEADER
from relational_rnn.training.results import RunResult, TrainingResult
from relational_rnn.training.run_folder import RunFolder


def curves_of(
    config: RunConfig[Any],
    results: RunResult,
    folder: RunFolder,
) -> list[Curve]:
    """Return a curve for each way of each model: mean and range over the seeds, a single RMC with stages."""
    found = []
    for family, model in results.models.items():
        count = len(model.trainings) // results.seeds
        for way in range(count):
            trainings = model.trainings[way::count]
            label = marked(way_of(trainings[0]), trainings)
            # One that diverged ends early: a mean with it would too.
            drawn = [one for one in trainings if one.diverged is None] or trainings
            curve = mean_curve(label, family, [folder.evaluations(one.name) for one in drawn])
            if family == LEADER and config.seeds == 1 and trainings[0].changes:
                curve = dataclasses.replace(curve, stages=_stages(config, trainings[0], folder))
            found.append(curve)
    return found


def _stages(config: RunConfig[Any], score: TrainingResult, folder: RunFolder) -> list[StageChange]:
    records, size = folder.records(score.name), config.of(LEADER).budget.batch_size
    shown = {field.name for field in dataclasses.fields(config.task)}
    return [
        StageChange(
            change.step,
            change.step * size,
            next((r["seconds"] for r in records if r["step"] >= change.step), score.seconds)
            if change.step
            else 0.0,
            {name: value for name, value in change.sizes.items() if name in shown},
        )
        for change in score.changes or ()
    ]
