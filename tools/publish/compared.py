"""Tables of comparisons, searches and ablations."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from relational_rnn import analysis
from relational_rnn.experiments.factors import value_of, with_values
from relational_rnn.recipes import find_recipe
from relational_rnn.training.config import RunConfig
from relational_rnn.training.models import LABELS
from relational_rnn.training.results import RunResult, TrainingResult
from relational_rnn.training.run import model_results
from tools.publish.records import Json, Record, config_of, experiment_of, results_of, seeds_of
from tools.publish.text import as_markdown, check_seeds, commands, head, in_sentence, markdown, percent


def comparison_command(records: Sequence[Record]) -> str:
    """Return how long a comparison took, and its command."""
    (record,) = records
    results = results_of(record)
    told = f"{results.test_examples:,} test examples"
    if results.wall_seconds is not None:  # of a run that was never interrupted
        told = f"{results.wall_seconds:.0f} s for all trainings, {told}"
    check_seeds(record.name, told, seeds_of(record))
    return f"{told}:\n\n{commands(records)}"


def summary_table(records: Sequence[Record]) -> str:
    """Return one row a model; on Nth farthest one row a training regime."""
    (record,) = records
    results = results_of(record)
    if results.task == "nth-farthest":
        return opponents_table(records)
    return as_markdown(analysis.summary_table(results), head("model", len(seeds_of(record))))


def cost_table(records: Sequence[Record]) -> str:
    """Return what models cost."""
    (record,) = records
    return _written(records, analysis.cost_table(selected(results_of(record))))


def longer_table(records: Sequence[Record]) -> str:
    """Return how models do with more steps in Nth farthest's sequences than in training."""
    return _written(records, analysis.longer_table(selected(together(records))))


def last_products_table(records: Sequence[Record]) -> str:
    """Return how often the last product of ever longer words is right."""
    return _written(records, analysis.long_words_table(selected(together(records)), ("last",)))


def whole_words_table(records: Sequence[Record]) -> str:
    """Return how often all products of ever longer words are right."""
    return _written(records, analysis.long_words_table(selected(together(records)), ("whole",)))


def selected(results: RunResult) -> RunResult:
    """Return results with the trainings alone that count for a model.

    Where a model was trained in several regimes, models are called as the regime that counts.
    """
    found = analysis.selected_only(results)
    regimes = [{analysis.regime_of(one) for one in model.trainings} for model in results.models.values()]
    if max(map(len, regimes)) == 1:
        return found
    named = {n: replace(m, label=analysis.regime_of(m.trainings[0])) for n, m in found.models.items()}
    return replace(found, models=named)


def _written(records: Sequence[Record], table: analysis.Table | None) -> str:
    if table is None:
        raise ValueError(f"{records[0].name} has nothing for this table")
    return as_markdown(table, head(table.columns[0], together(records).seeds))


def together(records: Sequence[Record]) -> RunResult:
    """Return the results of runs of one seed each as those of one run.

    A training that several runs of a seed have, as all have the RMC's, is taken from the first of them.
    """
    if len(records) == 1:
        return results_of(records[0])
    scores: dict[str, dict[int, list[TrainingResult]]] = {}
    for record in records:
        results = results_of(record)
        seed = results.seed
        for name, model in results.models.items():
            of_seed = scores.setdefault(name, {}).setdefault(seed, [])
            for score in model.trainings:
                label = f"{score.label}, seed {seed}"
                if label not in [known.label for known in of_seed]:
                    of_seed.append(replace(score, name=f"{score.name} of {record.name}", label=label))
    models = {
        name: model_results(
            LABELS[name], [*itertools.chain.from_iterable(scores[name].values())], len(scores[name])
        )
        for name in LABELS
        if name in scores
    }
    return replace(results_of(records[0]), seeds=len(scores["rmc"]), models=models)


def opponents_table(records: Sequence[Record]) -> str:
    """Return one row a training regime of a model, means over the seeds of the runs."""
    results = together(records)
    return as_markdown(analysis.regimes_table(results), head("training", results.seeds))


def best_sentence(records: Sequence[Record]) -> str:
    """Return what each model came to, the best training regime, as a sentence."""
    seeds = {record.name: results_of(record).seed for record in records}
    told = []
    for name, model in together(records).models.items():
        best = [training for training in model.trainings if training.name in model.selected]
        runs = {training.name.rsplit(" of ", 1)[1]: training.test_accuracy for training in best}
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
        config = config_of(record)
        taken |= {(model, *_start_and_rate(config, model)) for model in config.model.models}
    rows: dict[tuple[str, str], dict[float, str]] = {}
    for record in records:
        config, results = config_of(record), experiment_of(record)
        (model,) = results["models"]
        for variant in results["variants"]:
            start, rate = _start_and_rate(with_values(config, variant["values"]), model)
            (run,) = variant["runs"]
            told = "diverged" if model in run["diverged"] else _reached(run["models"][model])
            bold = "**" if (model, start, rate) in taken else ""
            rows.setdefault((model, start), {})[rate] = f"{bold}{told}{bold}"
    rates = sorted({rate for row in rows.values() for rate in row})
    models = list(LABELS)
    cells = [
        [LABELS[model], start, *(row.get(rate, "-") for rate in rates)]
        for (model, start), row in sorted(rows.items(), key=lambda entry: models.index(entry[0][0]))
    ]
    return markdown([head("model", 1), "start", *(f"{rate:g}" for rate in rates)], cells)


def _start_and_rate(config: RunConfig, model: str) -> tuple[str, float]:
    return value_of(config, f"{model}.initialisation"), value_of(config, f"{model}.learning_rate")


def _reached(score: Json) -> str:
    return f"{'x'.join(map(str, score['task_reached'].values()))}, {percent(score['test_accuracy'])}"


def tuning_table(records: Sequence[Record]) -> str:
    """Return what a search over learning rates, and perhaps optimisers, came to for each of its models.

    Args:
        records: the parts of the search; what the task's preset has taken from it is in bold.
    """
    config = find_recipe(experiment_of(records[0])["task"], records[0].group.preset)
    found: dict[tuple[str, str], dict[float, str]] = {}
    for record in records:
        results, base = experiment_of(record), config_of(record).optimisation.optimiser
        for variant, model in itertools.product(results["variants"], results["models"]):
            optimiser, rate = variant["values"].get("optimiser", base), variant["values"]["learning_rate"]
            (trained,) = variant["runs"]
            told = "diverged"
            if model in trained["models"]:
                score = trained["models"][model]
                perplexity = score.get("validation_perplexity")
                told = f"{perplexity:.2f}" if perplexity else percent(score["validation_accuracy"])
            own = config.of(model).optimisation
            bold = "**" if (own.optimiser, own.learning_rate) == (optimiser, rate) else ""
            found.setdefault((model, optimiser), {})[rate] = f"{bold}{told}{bold}"
    models = list(dict.fromkeys(model for model, _ in found))
    rates = sorted({rate for row in found.values() for rate in row})
    cells = [
        [
            LABELS[model],
            {"adam": "Adam", "soap": "SOAP"}[optimiser],
            *(row.get(rate, "-") for rate in rates),
        ]
        for (model, optimiser), row in sorted(found.items(), key=lambda one: models.index(one[0][0]))
    ]
    return markdown([head("model", 1), "optimiser", *(f"{rate:g}" for rate in rates)], cells)


def ablation_table(records: Sequence[Record], factor: str) -> str:
    """Return a table of one factor of an ablation."""
    (record,) = records
    table = analysis.factor_table(experiment_of(record), factor)
    return as_markdown(table, head(table.columns[0], len(seeds_of(record))))


def overview_table(records: Sequence[Record]) -> str:
    """Return a table of all variants of an ablation."""
    (record,) = records
    table = analysis.overview_table(experiment_of(record))
    return as_markdown(table, head(table.columns[0], len(seeds_of(record))))
