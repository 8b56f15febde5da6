"""The results of a run: tables in words, and curves over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from relational_rnn.analysis.cost import Cost
from relational_rnn.analysis.curves import Curve
from relational_rnn.analysis.efficiency import Efficiency, examples_to_accuracy
from relational_rnn.analysis.sizes import Reach, SizeAxis
from relational_rnn.analysis.style import mean_and_range, percent
from relational_rnn.analysis.tables import Table, marked, spread_told, to_ninety
from relational_rnn.tasks import score_of
from relational_rnn.tasks.babi import mean_and_failed
from relational_rnn.tasks.score import ACCURACY
from relational_rnn.tasks.splits import score_to_beat
from relational_rnn.training.results import ModelResult, RunResult, value_of

MOST_COLUMNS = 6
"""More kinds of questions stand below each other."""


def summary_table(results: RunResult) -> Table:
    """Return one row a model, means over its seeds with the lowest and the highest, and the trivial scores.

    "to 90 %" is what `to_ninety` tells.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> print(summary_table(made_up_run()))
        model               test %  parameters  seconds  examples  to 90 %
        RMC       90.0 (85.0–95.0)      41,000       20    10,000    8,000
        LSTM      60.0 (55.0–65.0)      41,000       20    10,000    8,000
        chance                10.0
        majority              25.0
    """
    if score_of(results.task) is not ACCURACY:
        return _losses_table(results)
    rows = []
    best = max(model.test_accuracy for model in results.models.values())
    trivial = score_to_beat(results.trivial["test"])
    splits = [split for split in ("test", "harder") if split in results.trivial]
    for model in results.models.values():
        cells = [
            marked(model.label, model.trainings),
            *(_mean_and_range(model, f"{split}_accuracy") for split in splits),
            f"{model.parameters:,}",
            f"{model.seconds:,.0f}",
            f"{model.examples:,.0f}",
            to_ninety(model.trainings, trivial),
        ]
        rows.append((model.test_accuracy == best, cells))
    for name in ("chance", "majority", "shortcut"):
        scores = [results.trivial[split][name] for split in splits]
        known = [score for score in scores if score is not None]
        if known:
            rows.append((False, [name, *(f"{100 * score:.1f}" for score in known), "", "", "", ""]))
    columns = ("model", *(f"{split} %" for split in splits))
    return Table((*columns, "parameters", "seconds", "examples", "to 90 %"), rows)


def _losses_table(results: RunResult) -> Table:
    """Return the same of a task that is scored by its loss, the lowest in bold."""
    score = score_of(results.task)
    splits = [split for split in ("test", "harder") if results.harder or split == "test"]
    names = {f"{split}_{score.key}": f"{split} {score.head}" for split in splits}
    others = {f"test_{key}": head for key, head in score.others if head}
    best = min(value_of(model, f"test_{score.key}") for model in results.models.values())
    rows = []
    for model in results.models.values():
        cells = [
            marked(model.label, model.trainings),
            *(
                spread_told([value_of(one, name) for one in model.trainings], score.cell)
                for name in (*names, *others)
            ),
            f"{model.parameters:,}",
            f"{model.seconds:,.0f}",
            f"{model.examples:,.0f}",
        ]
        rows.append((value_of(model, f"test_{score.key}") == best, cells))
    for name in results.trivial[score.key]:
        told = [
            results.trivial[key][name] for key in (score.key, *(key for key, head in score.others if head))
        ]
        first, *rest = ["" if value is None else score.cell(value) for value in told]
        rows.append((False, [name, first, *[""] * (len(names) - 1), *rest, "", "", ""]))
    columns = ("model", *names.values(), *others.values(), "parameters", "seconds", "examples")
    return Table(columns, rows)


def seeds_table(results: RunResult) -> Table:
    """Return one row a training.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> print(seeds_table(made_up_run()))
        training        test  all steps right  seconds  examples  kept after step
        RMC, seed 0   95.0 %           85.0 %       20    10,000              100
        RMC, seed 1   85.0 %           75.0 %       20    10,000              100
        LSTM, seed 0  65.0 %           55.0 %       20    10,000              100
        LSTM, seed 1  55.0 %           45.0 %       20    10,000              100
    """
    score = score_of(results.task)
    if score is not ACCURACY:
        names = {f"{split}_{key}": f"{split} {key}" for split in ("test", "validation") for key in score.kept}
        plain = [
            (
                False,
                [
                    marked(one.label, [one]),
                    *(f"{value_of(one, name):,.4g}" for name in names),
                    percent(one.test_accuracy),
                    f"{one.seconds:,.0f}",
                    f"{one.best_step:,}",
                ],
            )
            for model in results.models.values()
            for one in model.trainings
        ]
        heads = (head.replace("_", " ") for head in names.values())
        return Table(("training", *heads, "next token right", "seconds", "kept after step"), plain)
    harder = ["harder"] if "harder" in results.trivial else []
    columns = ("training", "test", "all steps right", *harder, "seconds", "examples", "kept after step")
    rows = [
        (
            False,
            [
                marked(one.label, [one]),
                percent(one.test_accuracy),
                percent(one.test_sequence_accuracy or 0.0),
                *(percent(getattr(one, f"{split}_accuracy")) for split in harder),
                f"{one.seconds:,.0f}",
                f"{one.examples:,}",
                f"{one.best_step:,}",
            ],
        )
        for model in results.models.values()
        for one in model.trainings
    ]
    return Table(columns, rows)


def cost_table(results: RunResult) -> Table:
    """Return what the models cost, means over the seeds; "state": numbers kept from step to step.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> print(cost_table(made_up_run()))
        model  parameters  ms per example  peak memory, MB
        RMC        41,000               2              150
        LSTM       41,000               2              150
    """
    models = results.models.values()
    states = [model.trainings[0].state_size for model in models]
    measured = any(state is not None for state in states)
    rows = [
        (
            False,
            [
                model.label,
                f"{model.parameters:,}",
                *(["-" if state is None else f"{state:,}"] if measured else []),
                f"{1e3 * model.seconds_per_example:.3g}",
                "-" if model.peak_memory is None else f"{model.peak_memory / 1e6:,.0f}",
            ],
        )
        for model, state in zip(models, states)
    ]
    columns = ("model", "parameters", *(("state",) if measured else ()), "ms per example", "peak memory, MB")
    return Table(columns, rows)


def kinds_table(results: RunResult) -> Table | None:
    """Return mean test accuracies by kind of question, and the trivial scores; None for one kind.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> results = made_up_run("babi-synthetic", test_by_kind={"1 fact": 0.9, "2 facts": 0.7})
        >>> print(kinds_table(results))
        model  1 fact %  2 facts %
        RMC        90.0       70.0
        LSTM       90.0       70.0
    """
    models = results.models.values()
    scores: dict[str, Mapping[str, Any]] = {
        model.label: model.test_by_kind for model in models if model.test_by_kind is not None
    }
    if not scores:
        return None
    for name in ("majority", "shortcut"):
        if f"{name}_by_kind" in results.trivial:
            scores[name] = results.trivial[f"{name}_by_kind"]
    kinds = list(next(iter(scores.values())))
    if len(kinds) > MOST_COLUMNS:
        lines = [[kind, *(f"{100 * found[kind]:.1f}" for found in scores.values())] for kind in kinds]
        if all("mean_error" in model.more for model in models):
            means, failed = zip(*(mean_and_failed(found.values()) for found in scores.values()))
            lines.append(["mean error", *(f"{100 * mean:.1f}" for mean in means)])
            lines.append(["failed (error above 5 %)", *map(str, failed)])
        return Table(("kind, accuracy %", *scores), [(False, line) for line in lines])
    rows = [
        (False, [label, *(f"{100 * found[kind]:.1f}" for kind in kinds)]) for label, found in scores.items()
    ]
    return Table(("model", *(f"{kind} %" for kind in kinds)), rows)


def memory_table(memories: Sequence[dict[str, Any]]) -> Table:
    """Return what the memories of some models are like, a column each; docs/analysis.md explains the rows.

    Args:
        memories: what `compare_memories` returned.

    Example:
        >>> from relational_rnn.analysis.memory import compare_memories
        >>> from relational_rnn.analysis.recorded_memory import record_memory
        >>> from relational_rnn.reference import RelationalMemory
        >>> core = RelationalMemory(input_size=5, mem_slots=3, head_size=4)
        >>> recorded = record_memory(core, np.random.default_rng(0).standard_normal((7, 6, 5)))
        >>> memory_table(compare_memories({"RMC": recorded})).columns
        ('memory', 'RMC')
    """
    rows = [
        (False, [name.replace("_", " "), *(_plain(model[name]) for model in memories)])
        for name in memories[0]
        if name not in ("name", "model")
    ]
    return Table(("memory", *(model["name"] for model in memories)), rows)


def generalisation_table(results: RunResult) -> Table | None:
    """Return the mean accuracies on larger sizes, and the trivial scores; None where there are none.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> print(generalisation_table(made_up_run()))
        model          items 8 %  items 16 %
        RMC                 90.0        30.0
        LSTM                60.0        30.0
        trivial score       25.0        20.0
    """
    axes = results.generalisation
    if not axes:
        return None
    columns = [f"{axis['axis']} {size} %" for axis in axes for size in axis["sizes"]]

    def row(label: str, scores: Sequence[Sequence[float]]) -> tuple[bool, list[str]]:
        return False, [label, *(f"{100 * score:.1f}" for along in scores for score in along)]

    rows = [
        row(marked(model.label, model.trainings), [axis["models"][name]["accuracy"] for axis in axes])
        for name, model in results.models.items()
    ]
    return Table(("model", *columns), [*rows, row("trivial score", [axis["trivial"] for axis in axes])])


def size_axes(results: RunResult) -> list[SizeAxis]:
    """Return what `generalisation` draws.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> [(axis.name, axis.sizes) for axis in size_axes(made_up_run())]
        [('items', [8, 16])]
    """
    return [
        SizeAxis(
            axis["axis"],
            axis["sizes"],
            axis["trained"],
            axis["trivial"],
            [
                Reach(
                    marked(results.models[name].label, results.models[name].trainings),
                    name,
                    list(scores["trainings"].values()),
                )
                for name, scores in axis["models"].items()
            ],
        )
        for axis in results.generalisation
    ]


def model_costs(results: RunResult) -> list[Cost]:
    """Return what `cost_bars` draws.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> [(cost.name, cost.milliseconds) for cost in model_costs(made_up_run())]
        [('RMC', [2.0, 2.0]), ('LSTM', [2.0, 2.0])]
    """
    return [
        Cost(
            model.label,
            name,
            model.parameters,
            [1e3 * training.seconds_per_example for training in model.trainings],
            [one.peak_memory / 1e6 for one in model.trainings if one.peak_memory is not None],
        )
        for name, model in results.models.items()
    ]


def model_efficiencies(
    results: RunResult, evaluations: Mapping[str, Sequence[dict[str, Any]]], accuracies: Sequence[float]
) -> list[Efficiency]:
    """Return what `sample_efficiency` draws.

    Args:
        results: of the run.
        evaluations: name of the training -> the records of its evaluations, in order.
        accuracies: to reach.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> points = [{"examples": n, "validation_accuracy": share} for n, share in ((100, 0.3), (200, 0.8))]
        >>> evaluations = {f"{model}-{seed}": points for model in ("rmc", "lstm") for seed in (0, 1)}
        >>> model_efficiencies(made_up_run(), evaluations, accuracies=[0.5, 0.9])[0].examples
        [[200, None], [200, None]]
    """
    return [
        Efficiency(
            marked(model.label, model.trainings),
            name,
            [
                [examples_to_accuracy(evaluations[training.name], accuracy) for accuracy in accuracies]
                for training in model.trainings
            ],
        )
        for name, model in results.models.items()
    ]


def mean_curve(label: str, family: str, records: Sequence[Sequence[dict[str, Any]]]) -> Curve:
    """Return a model's mean validation accuracy over its seeds, up to where the first of them ended.

    Args:
        label: of the model.
        family: chooses the colour.
        records: for each seed the records of its evaluations, in order.

    Example:
        >>> points = ((100, 0.25, 0.35), (200, 0.75, 0.95))  # examples, and the accuracy of each of two seeds
        >>> seeds = [[{"examples": n, "validation_accuracy": s[seed]} for n, *s in points] for seed in (0, 1)]
        >>> curve = mean_curve("RMC", "rmc", seeds)
        >>> [round(share, 2) for share in curve.accuracy], curve.low, curve.high
        ([0.3, 0.85], [0.25, 0.75], [0.35, 0.95])
    """
    points = list(zip(*records))  # seeds may have stopped at different steps
    accuracy = np.array([[r["validation_accuracy"] for r in point] for point in points])  # (points, seeds)
    several = len(records) > 1
    return Curve(
        label,
        family,
        [float(np.mean([r["seconds"] for r in point])) for point in points]
        if all("seconds" in r for point in points for r in point)
        else [],
        [point[0]["examples"] for point in points],
        accuracy.mean(axis=1).tolist(),
        low=accuracy.min(axis=1).tolist() if several else (),
        high=accuracy.max(axis=1).tolist() if several else (),
    )


def _mean_and_range(model: ModelResult, name: str) -> str:
    return mean_and_range([getattr(training, name) for training in model.trainings])


def _plain(value: Any) -> str:
    return (
        f"{value:,.3g}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )
