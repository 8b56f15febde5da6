"""A whole run: its trainings side by side in processes, then their scores, put together."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from relational_rnn.config.checks import BadFile
from relational_rnn.reference import Batch
from relational_rnn.reference.arrays import Array
from relational_rnn.tasks import entry_of
from relational_rnn.tasks.splits import Splits, score_to_beat
from relational_rnn.training import generalisation, trainer
from relational_rnn.training.config import RunConfig
from relational_rnn.training.contestants import Contestant, contestants, leader_of
from relational_rnn.training.curriculum import Growth
from relational_rnn.training.data import alone, batches_of, check_examples, splits_of
from relational_rnn.training.distributed import ALONE, Team
from relational_rnn.training.files import joined, read_object, write_json
from relational_rnn.training.framework import Framework, framework_of
from relational_rnn.training.models import check_model_memory, check_sizes, features_of
from relational_rnn.training.processes import Interrupted, asked_to_stop, train_side_by_side
from relational_rnn.training.results import (
    ModelResult,
    RunResult,
    TrainingResult,
    read_results,
    to_json,
    training_from,
    value_of,
)
from relational_rnn.training.run_folder import RunFolder
from relational_rnn.training.schedule import warmup_cosine
from relational_rnn.training.trainer import FitResult, Learner, Record, Training
from relational_rnn.training.weights import save_weights

Report = Callable[[Record], None]
Stopped = Callable[[], bool]

AVERAGED = (
    *("test_accuracy", "test_sequence_accuracy", "harder_accuracy", "seconds", "steps", "examples"),
    *("examples_to_converge", "seconds_per_example", "peak_memory"),
)
"""Scores of a training whose means over the seeds are a model's."""


def check(config: RunConfig) -> None:
    """Check what the configuration alone cannot.

    Raises:
        ValueError: an opponent would have fewer parameters than the RMC, the device is not there, the
            examples are damaged, or they or the models do not fit into memory.
    """
    check_examples(config)
    check_models_here(config)


def check_models_here(config: RunConfig) -> None:
    """Check that the models of a run can be built and trained here, whatever the examples.

    Raises:
        ValueError: see `check`.
    """
    check_model_memory(config)
    framework = framework_of(config.runtime.framework)
    framework.check(config)
    check_sizes(config, lambda name: framework.matched_size(config, name))


def command_of(config: RunConfig) -> str:
    """Return the command that trains a run, without its flags."""
    return f"train {entry_of(config.task).name}"


def run(
    config: RunConfig,
    folder: RunFolder,
    *,
    resume: bool = False,
    show: Callable[[Contestant, Record], None] = lambda contestant, record: None,
    in_process: bool = False,
    team: Team = ALONE,
) -> RunResult:
    """Train every model with every seed and score them.

    Args:
        config: of the run.
        folder: where everything goes; this process is `writing` there.
        resume: go on with a run that was stopped.
        show: gets every record as it comes.
        in_process: train one after the other in this process, so that tasks and models may be of any kind;
            else several at a time, each in a process of its own.
        team: whose leader this process is; of several processes all train the same model, one after the
            other.

    Returns:
        What results.json has.

    Raises:
        RunFailed: a training failed; one that diverges is a result.
        Interrupted: stopped by the user; everything is saved.
    """
    start = time.perf_counter()
    entry = entry_of(config.task)
    if entry.keep is not None:
        write_json(folder.kept, entry.keep(config.task))
    everyone = {contestant.name: contestant for contestant in contestants(config)}
    if resume:
        go_back(folder, everyone)

    def may_start(name: str) -> bool:
        leader = leader_of(config, everyone[name])
        return leader is None or folder.score(leader.name).exists()

    waiting = [name for name in everyone if not is_finished(folder, name)]
    if in_process or team.size > 1:
        with asked_to_stop() as stopped:
            for name in waiting:  # leaders come first
                with team.training(config, folder.path, name):
                    train_one(config, folder, name, functools.partial(show, everyone[name]), stopped, team)
                    halt = team.any(stopped())
                if halt:
                    raise Interrupted(f"stopped; everything is saved, resume it in {folder.path}")
    else:
        train_side_by_side(
            waiting,
            functools.partial(_train_apart, config, folder),
            workers=config.runtime.at_once,
            show=lambda name, record: show(everyone[name], record),
            may_start=may_start,
        )
    wall_seconds: float | None = round(time.perf_counter() - start, 1)
    if resume:
        wall_seconds = read_results(folder.results).wall_seconds if folder.results.exists() else None
    return summarise(config, folder, wall_seconds)


def go_back(folder: RunFolder, names: Iterable[str]) -> None:
    """Let the records of trainings end where their checkpoints do.

    Raises:
        BadFile: a checkpoint that is needed is damaged, or a record is.
    """
    saved: dict[str, tuple[int, list[Record]] | None] = {}
    for name in names:
        path = folder.checkpoint(name)
        if is_finished(folder, name):
            saved[name] = None
        if path.exists():
            try:
                result = trainer.read_result(path)
            except BadFile:
                if name not in saved:
                    raise
            else:
                saved[name] = result.step, result.history
    folder.go_back(saved)


def is_finished(folder: RunFolder, name: str) -> bool:
    """Say whether a training has left its score and its weights."""
    return folder.score(name).exists() and folder.weights(name).exists()


def _remedy(name: str) -> str:
    """Return what helps against a damaged score."""
    return f"remove it: with --resume {name} is scored again, from its checkpoint"


def read_score(
    config: RunConfig, folder: RunFolder, contestant: Contestant
) -> tuple[TrainingResult, dict[str, list[float]]]:
    """Return the score of a finished training, and that on ever larger sizes.

    Raises:
        BadFile: the file is damaged.
        OSError: it cannot be read.
    """
    path = folder.score(contestant.name)
    remedy = _remedy(contestant.name)
    values = read_object(path, remedy)
    entry = entry_of(config.task)
    try:
        larger = generalisation.check_scores(config, values.pop("generalisation", None))
        score = training_from({**values, "name": contestant.name, "label": contestant.label})
        harder = entry.from_files or entry.harder(entry.at_full_size(config.task)) is not None
        for what, there, wanted in (
            ("validation_accuracy", score.validation_accuracy is not None, True),
            ("harder_accuracy", score.harder_accuracy is not None, harder),
            (
                "harder_sequence_accuracy",
                score.harder_sequence_accuracy is not None,
                harder and not entry.tokens,
            ),
            ("test_by_kind", bool(score.test_by_kind), entry.kinds is not None),
            ("changes", bool(score.changes), contestant.grown),
        ):
            if there != wanted:
                raise ValueError(f"it {'has' if there else 'lacks'} {what}")
        for kept in entry.score.kept:
            for split in ("validation", "test", *(("harder",) if harder else ())):
                value_of(score, f"{split}_{kept}")
    except ValueError as error:
        raise BadFile(path, f"does not hold the score of a training: {error}", remedy) from None
    return score, larger


def _train_apart(config: RunConfig, folder: RunFolder, name: str, report: Report, stopped: Stopped) -> None:
    """Train one contestant in a process of its own, unless the one that started it is gone already."""
    with joined(folder.path):
        if not stopped():
            train_one(config, folder, name, report, stopped)


def train_one(
    config: RunConfig,
    folder: RunFolder,
    name: str,
    report: Report,
    stopped: Stopped,
    team: Team = ALONE,
) -> None:
    """Train one contestant in this process and leave its records, weights and score in the folder.

    A record is in the folder before the checkpoint that has come past it. A training that diverges is scored
    with the parameters that were kept before. Of a team only the leader writes and reports.
    """
    framework = framework_of(config.runtime.framework)
    contestant = next(c for c in contestants(config) if c.name == name)
    own = alone(config.of(contestant.model), contestant.seed)
    growth = growth_of(config, own, contestant, folder)

    def note(record: Record) -> None:
        if team.rank:
            return
        folder.append({"model": name, **record})
        report(record)

    with framework.limit_threads(config.runtime.threads):
        model = framework.build(own, contestant)
        learner = framework.learner(model, own, *(() if team.size == 1 else (team,)))
        splits = splits_of(own, with_training=True)
        optimisation = own.optimisation

        def schedule(step: int, progress: float) -> float:
            return warmup_cosine(step, progress, optimisation.warmup_steps, optimisation.final_share)

        training = Training(
            learner,
            batches_of(own, splits, growth),
            splits.validation,
            own.budget,
            peak=optimisation.learning_rate,
            schedule=schedule,
            monitor=entry_of(own.task).score.monitor,
            notes={"seed": contestant.seed, "framework": framework.name},
            team=team,
        )
        quiet = np.errstate(over="ignore", invalid="ignore")
        with quiet, contextlib.suppress(FloatingPointError):  # which the result tells
            training.run(checkpoint=folder.checkpoint(name), report=note, stopped=stopped)
        result = training.result
        if not result.finished:
            return
        score = score_of(own, framework, model, learner, result, splits)
    if team.rank:
        return
    if growth is not None:
        score["changes"] = [change._asdict() for change in growth.changes]
    save_weights(folder.weights(name), framework, model, config, contestant)
    write_json(folder.score(name), score)


def growth_of(config: RunConfig, own: RunConfig, contestant: Contestant, folder: RunFolder) -> Growth | None:
    """Return the stages of a training: its own, or those that its leader found; None without a curriculum."""
    if not contestant.grown:
        return None
    leader = leader_of(config, contestant)
    if leader is None:
        return Growth(own)
    changes = read_score(config, folder, leader)[0].changes or ()
    try:
        return Growth(own, changes)
    except ValueError as error:
        raise BadFile(folder.score(leader.name), f"is damaged: {error}", _remedy(leader.name)) from None


def score_of(
    config: RunConfig,
    framework: Framework,
    model: Any,
    learner: Learner,
    result: FitResult,
    splits: Splits,
) -> dict[str, Any]:
    """Return what a finished training came to, on the test, on harder and on ever larger examples.

    Args:
        config: of the training alone.
        framework: what trained it.
        model: with the parameters that count.
        learner: of the model.
        result: of the training.
        splits: its examples.
    """
    entry, steps = entry_of(config.task), result.step
    test = splits.test
    memory = framework.peak_memory(config.runtime.device)
    examples = steps * config.budget.batch_size
    scores = learner.evaluate(test)
    kept = result.best if config.budget.keep == "best" else result.history[-1]
    score: dict[str, Any] = {
        "parameters": framework.count_parameters(model),
        "validation_accuracy": kept["validation_accuracy"],
        "test_accuracy": scores["accuracy"],
        "test_sequence_accuracy": scores.get("sequence_accuracy"),
    }
    state = framework.state_size(model, features_of(config), test.inputs[:1].shape[1])
    if state is not None:
        score["state_size"] = state
    if splits.harder is not None:
        harder = learner.evaluate(splits.harder)
        score["harder_accuracy"] = harder["accuracy"]
        score["harder_sequence_accuracy"] = harder.get("sequence_accuracy")
        score |= {f"harder_{name}": harder[name] for name in entry.score.kept}
    for name in entry.score.kept:
        score |= {f"validation_{name}": kept[f"validation_{name}"], f"test_{name}": scores[name]}
    score |= {
        "seconds": round(result.seconds, 2),
        "steps": steps,
        "examples": examples,
        "seconds_per_example": result.seconds / examples,
        "peak_memory": memory,
        "best_step": kept["step"],
        "examples_to_converge": examples_to_reach(result.history),
        "generalisation": generalisation.larger_scores(config, learner),
    }
    if result.diverged is not None:
        score["diverged"] = result.diverged
    if entry.kinds is not None:
        score["test_by_kind"] = {
            kind: learner.evaluate(Batch(*(part[own] for part in test[:3])))["accuracy"]
            for kind, own in by_kind(entry.kinds(test)).items()
        }
    if entry.more_scores is not None:
        every_step = np.ndim(test.targets) > 1

        def predict(inputs: Array) -> Array:
            return framework.predict(model, inputs, every_step)

        score |= entry.more_scores(config.task, test, config.seed, predict)
    return score


def by_kind(kinds: list[str]) -> dict[str, Array]:
    """Return for each kind, in the order of their names (10 after 9), which examples are of it.

    Example:
        >>> {kind: own.tolist() for kind, own in by_kind(["b 10", "b 9", "b 10"]).items()}
        {'b 9': [False, True, False], 'b 10': [True, False, True]}
    """
    named = np.array(kinds)
    return {kind: named == kind for kind in sorted(set(kinds), key=lambda kind: (len(kind), kind))}


def examples_to_reach(history: Sequence[Record], share: float = 0.9) -> int:
    """Return after how many examples a training first had `share` of its best validation accuracy.

    Args:
        history: records of evaluations with `examples` and `validation_accuracy`, in order.
        share: 0..1.

    Example:
        >>> points = [(100, 0.2), (200, 0.85), (300, 0.9), (400, 0.8)]
        >>> history = [{"examples": n, "validation_accuracy": accuracy} for n, accuracy in points]
        >>> examples_to_reach(history, share=0.9)
        200
    """
    wanted = share * max(record["validation_accuracy"] for record in history)
    return int(next(r["examples"] for r in history if r["validation_accuracy"] >= wanted))


def summarise(config: RunConfig, folder: RunFolder, wall_seconds: float | None) -> RunResult:
    """Put the scores of all trainings together, with their means over the seeds, and write results.json.

    `wall_seconds` is the time of the whole run, None if it was interrupted in between.
    """
    entry = entry_of(config.task)
    splits = splits_of(alone(config, config.seed))
    models: dict[str, ModelResult] = {}
    larger = {}
    for model in config.model.models:
        scores = [read_score(config, folder, c) for c in contestants(config) if c.model == model]
        trainings = [score for score, _ in scores]
        larger[model] = {score.name: of_larger for score, of_larger in scores}
        models[model] = model_results(config.specs[model].label, trainings, config.seeds)
        by_kind = models[model].test_by_kind
        if entry.from_kinds is not None and by_kind is not None:
            models[model] = dataclasses.replace(models[model], more=entry.from_kinds(dict(by_kind)))
    results = RunResult(
        task=entry.name,
        framework=config.runtime.framework,
        size=dataclasses.asdict(config.task),
        harder_size=splits.harder_sizes,
        harder=splits.changes,
        seed=config.seed,
        seeds=config.seeds,
        test_examples=len(splits.test.inputs),
        trivial_accuracy=score_to_beat(splits.trivial["test"]),
        trivial={**splits.trivial, **_trivial_by_kind(config, splits.test)},
        wall_seconds=wall_seconds,
        models=models,
        generalisation=tuple(generalisation.summarise(config, larger)),
    )
    write_json(folder.results, to_json(results))
    return results


def model_results(label: str, trainings: Sequence[TrainingResult], seeds: int) -> ModelResult:
    """Put a model's trainings together; validation chooses the regime that counts, and never the test.

    Args:
        label: of the model.
        trainings: its own, the same training regimes in the same order seed by seed.
        seeds: how many these are.

    Raises:
        ValueError: a training lacks its validation accuracy.
    """
    count = len(trainings) // seeds
    regimes = [trainings[regime::count] for regime in range(count)]
    best = max(regimes, key=lambda regime: sum(map(validation_of, regime)))
    front = max(best, key=validation_of)
    by_kind = [training.test_by_kind for training in best if training.test_by_kind is not None]
    kept = [name for name, value in front.more.items() if isinstance(value, int | float)]
    means = {name: _mean([getattr(training, name) for training in best]) for name in AVERAGED}
    return ModelResult(
        label=label,
        name=front.name,
        parameters=front.parameters,
        selected=tuple(training.name for training in best),
        trainings=tuple(trainings),
        test_by_kind={kind: _mean([scores[kind] for scores in by_kind]) for kind in by_kind[0]}
        if by_kind
        else None,
        more={name: _mean([value_of(training, name) for training in best]) for name in kept},
        **means,
    )


def validation_of(training: TrainingResult) -> float:
    """Return what a training is chosen by, more for a better one: the loss of a task that is scored by it.

    Raises:
        ValueError: it is from before this was kept.
    """
    if "validation_loss" in training.more:
        return -value_of(training, "validation_loss")
    if training.validation_accuracy is None:
        raise ValueError(f"{training.name} lacks its validation_accuracy")
    return training.validation_accuracy


def _mean(values: Sequence[float | None]) -> Any:
    """Return a mean; None where a value is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _trivial_by_kind(config: RunConfig, test: Any) -> dict[str, dict[str, float]]:
    """Return what models without understanding score on each kind of question."""
    entry = entry_of(config.task)
    if entry.trivial_by_kind is not None:
        return entry.trivial_by_kind(config.task, test)
    if entry.kinds is None or entry.shortcut is None:
        return {}
    right = (entry.shortcut(config.task, test.inputs) == test.targets) & test.mask
    shares = {
        kind: float(right[own].sum() / test.mask[own].sum())
        for kind, own in by_kind(entry.kinds(test)).items()
    }
    return {"shortcut_by_kind": shares}
