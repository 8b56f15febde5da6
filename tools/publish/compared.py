"""Tables of comparisons, searches and ablations."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from relational_rnn import analysis
from relational_rnn.training.common.core_settings import LABELS
from relational_rnn.training.common.nth_farthest import NthFarthestSettings, model_results
from tools.publish.records import Json, Record, results_of, seeds_of, settings_of
from tools.publish.text import as_markdown, check_seeds, commands, head, in_sentence, markdown, percent


def comparison_command(records: Sequence[Record]) -> str:
    """Return how long a comparison took, and its command."""
    (record,) = records
    results = results_of(record)
    wall = f"{results['wall_seconds']:.0f} s for all trainings, {results['test_examples']:,} test examples"
    check_seeds(record.name, wall, seeds_of(record))
    return f"{wall}:\n\n{commands(records)}"


def summary_table(records: Sequence[Record]) -> str:
    """Return one row a model; on Nth farthest one row a way to the task."""
    (record,) = records
    results = results_of(record)
    if results["task"] == "nth-farthest":
        return opponents_table(records)
    return as_markdown(analysis.summary_table(results), head("model", len(seeds_of(record))))


def cost_table(records: Sequence[Record]) -> str:
    """Return what models cost."""
    (record,) = records
    return _written(records, analysis.cost_table(_counting(results_of(record))))


def longer_table(records: Sequence[Record]) -> str:
    """Return how models do with more steps in Nth farthest's sequences than in training."""
    return _written(records, analysis.longer_table(_counting(together(records))))


def _counting(results: Json) -> Json:
    return analysis.counting_only(results) if results["task"] == "nth-farthest" else results


def _written(records: Sequence[Record], table: analysis.Table | None) -> str:
    if table is None:
        raise ValueError(f"{records[0].name} has nothing for this table")
    return as_markdown(table, head(table.columns[0], together(records)["seeds"]))


def together(records: Sequence[Record]) -> Json:
    """Return the results of runs of one seed each as those of one run.

    A training that several runs of a seed have, as all have the RMC's, is taken from the first of them.
    """
    if len(records) == 1:
        return results_of(records[0])
    scores: dict[str, dict[int, list[Json]]] = {}
    for record in records:
        results = results_of(record)
        seed = results["seed"]
        for name, model in results["models"].items():
            of_seed = scores.setdefault(name, {}).setdefault(seed, [])
            for score in model["trainings"]:
                label = f"{score['label']}, seed {seed}"
                if label not in [known["label"] for known in of_seed]:
                    of_seed.append({**score, "name": f"{score['name']} of {record.name}", "label": label})
    models = {
        name: model_results([*itertools.chain.from_iterable(scores[name].values())], len(scores[name]))
        for name in LABELS
        if name in scores
    }
    return {**results_of(records[0]), "seeds": len(scores["rmc"]), "models": models}


def opponents_table(records: Sequence[Record]) -> str:
    """Return one row a way to the task of a model, means over the seeds of the runs."""
    results = together(records)
    return as_markdown(analysis.ways_table(results), head("training", results["seeds"]))


def best_sentence(records: Sequence[Record]) -> str:
    """Return what each model came to, the best way to the task, as a sentence."""
    seeds = {record.name: results_of(record)["seed"] for record in records}
    told = []
    for name, model in analysis.counting_only(together(records))["models"].items():
        runs = {score["name"].rsplit(" of ", 1)[1]: score["test_accuracy"] for score in model["trainings"]}
        scores = {seeds[run]: accuracy for run, accuracy in runs.items()}
        told.append(in_sentence(", ".join(runs), f"{LABELS[name]} {{}}", scores))
    return ", ".join(told) + "."


def searches_table(records: Sequence[Record], compared: Sequence[Record]) -> str:
    """Return what each model's search came to: the task that was reached and the accuracy on the full one.

    Args:
        records: the searches, each of a model's learning rate and perhaps its initialisation.
        compared: the comparisons; what any of them trains with is in bold.
    """
    taken = set()
    for record in compared:
        settings = settings_of(record)
        taken |= {(model, *_start_and_rate(settings, model)) for model in settings.models}
    rows: dict[tuple[str, str], dict[float, str]] = {}
    for record in records:
        settings, results = settings_of(record), results_of(record)
        (model,) = results["models"]
        for variant in results["variants"]:
            start, rate = _start_and_rate(settings.with_own(variant["values"]), model)
            (run,) = variant["runs"]
            told = "diverged" if "diverged" in run else _reached(run["models"][model])
            bold = "**" if (model, start, rate) in taken else ""
            rows.setdefault((model, start), {})[rate] = f"{bold}{told}{bold}"
    rates = sorted({rate for row in rows.values() for rate in row})
    models = list(LABELS)
    cells = [
        [LABELS[model], start, *(row.get(rate, "-") for rate in rates)]
        for (model, start), row in sorted(rows.items(), key=lambda entry: models.index(entry[0][0]))
    ]
    return markdown([head("model", 1), "start", *(f"{rate:g}" for rate in rates)], cells)


def _start_and_rate(settings: NthFarthestSettings, model: str) -> tuple[str, float]:
    return settings.own_value(f"{model}.initialisation"), settings.own_value(f"{model}.learning_rate")


def _reached(score: Json) -> str:
    return f"{'x'.join(map(str, score['task_reached']))}, {percent(score['test_accuracy'])}"


def ablation_table(records: Sequence[Record], factor: str) -> str:
    """Return a table of one factor of an ablation."""
    (record,) = records
    table = analysis.factor_table(results_of(record), factor)
    return as_markdown(table, head(table.columns[0], len(seeds_of(record))))


def overview_table(records: Sequence[Record]) -> str:
    """Return a table of all variants of an ablation."""
    (record,) = records
    table = analysis.overview_table(results_of(record))
    return as_markdown(table, head(table.columns[0], len(seeds_of(record))))
