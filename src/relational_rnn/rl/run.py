"""A whole run of agents: its trainings side by side in processes, then their scores, put together.

It goes the way of `training.run`: the same folder, processes, checkpoints and records. The trainer between
them is another one, for a game has no examples, labels or accuracy: what an agent learns from it plays.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from relational_rnn.config.checks import BadFile
from relational_rnn.rl.agents import (
    AgentTraining,
    build_agent,
    load_state,
    save_agent,
    state_of,
    trainings_of,
)
from relational_rnn.rl.config import LEVELS, AgentRun
from relational_rnn.rl.ppo import Agent, AgentPlayer, Learner, Update
from relational_rnn.rl.results import (
    AgentResults,
    TrainedAgent,
    over_seeds,
    played_of,
    read_results,
    to_json,
)
from relational_rnn.tasks.episodes import Episodes, play_episodes
from relational_rnn.tasks.game_registry import find_trainable
from relational_rnn.training.arrays_file import load_arrays, load_notes, save_arrays
from relational_rnn.training.decode import decode
from relational_rnn.training.files import joined, read_object, write_json
from relational_rnn.training.learners.torch import check_device, limit_threads
from relational_rnn.training.learners.torch_models import count_parameters
from relational_rnn.training.models import MODELS
from relational_rnn.training.processes import train_side_by_side
from relational_rnn.training.run_folder import RunFolder
from relational_rnn.training.trainer import CHECKPOINT_SECONDS, REMEDY

Report = Callable[[dict[str, Any]], None]
Stopped = Callable[[], bool]


def check(config: AgentRun) -> None:
    """Check that the device is there, and that the agents can be built.

    Raises:
        ValueError: it is not.

    Example:
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> check(AgentRun(task=CueRecall()))
    """
    check_device(config.runtime.device)
    for model in config.model.models:
        build_agent(config, model)


def command_of(config: AgentRun) -> str:
    """Return the command that trains a run, without its flags.

    Example:
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> command_of(AgentRun(task=CueRecall()))
        'train cue-recall'
    """
    return f"train {config.task.name}"


def run(
    config: AgentRun,
    folder: RunFolder,
    *,
    resume: bool = False,
    show: Callable[[str, dict[str, Any]], None] = lambda name, record: None,
) -> AgentResults:
    """Train an agent with every core and every seed, each in a process of its own, and score them.

    Args:
        config: of the run.
        folder: where everything goes; this process is `writing` there.
        resume: go on with a run that was stopped.
        show: gets every record as it comes, with the name of its training.

    Returns:
        What results.json has.

    Raises:
        RunFailed: a training failed.
        Interrupted: stopped by the user; everything is saved.

    Example:
        >>> from relational_rnn.rl.presets import find_preset
        >>> config, folder = find_preset("cue-recall", "tiny"), RunFolder(Path("runs/cues"))
        >>> with folder.writing(command_of(config), config, resume=False):  # doctest: +SKIP
        ...     run(config, folder).models["rmc"].mean_return
    """
    start = time.perf_counter()
    names = [training.name for training in trainings_of(config)]
    if resume:
        folder.go_back({name: _saved(folder, name) for name in names if _has_records(folder, name)})
    train_side_by_side(
        [name for name in names if not _is_finished(folder, name)],
        functools.partial(_train_apart, config, folder),
        workers=config.runtime.at_once,
        show=show,
    )
    wall: float | None = round(time.perf_counter() - start, 1)
    if resume:
        wall = read_results(folder.results).wall_seconds if folder.results.exists() else None
    return summarise(config, folder, wall)


def _is_finished(folder: RunFolder, name: str) -> bool:
    return folder.score(name).exists() and folder.weights(name).exists()


def _has_records(folder: RunFolder, name: str) -> bool:
    return _is_finished(folder, name) or folder.checkpoint(name).exists()


def _saved(folder: RunFolder, name: str) -> tuple[int, list[dict[str, Any]]] | None:
    """Return up to which update the records of a training count, as `RunFolder.go_back` takes it."""
    if _is_finished(folder, name):
        return None
    path = folder.checkpoint(name)
    return _progress_of(load_notes(path, REMEDY), path).step, []


def _train_apart(config: AgentRun, folder: RunFolder, name: str, report: Report, stopped: Stopped) -> None:
    with joined(folder.path):
        if not stopped():
            train_one(config, folder, name, report, stopped)


@dataclasses.dataclass
class Progress:
    """How far a training has come; with the arrays of `state_of` its checkpoint.

    Example:
        >>> Progress(settings={"seed": 0}, step=3, evaluated=1536).diverged is None
        True
    """

    settings: dict[str, Any]
    """Which a training that goes on from it must share."""
    step: int = 0
    """Updates done."""
    seconds: float = 0.0
    """Spent until then."""
    evaluated: int = 0
    """Frames at the last point of the curve."""
    curve_return: float = 0.0
    """That point."""
    diverged: str | None = None
    """What was no longer finite, and when; None if all was."""


def _progress_of(notes: dict[str, Any], path: Path) -> Progress:
    try:
        return decode(Progress, notes, "its notes")
    except ValueError as error:
        raise BadFile(path, f"is no checkpoint of an agent: {error}", REMEDY) from None


def train_one(config: AgentRun, folder: RunFolder, name: str, report: Report, stopped: Stopped) -> None:
    """Train one agent in this process and leave its records, weights and score in the folder.

    A record is in the folder before the checkpoint that has come past it. A training that diverges is scored
    with the parameters that it had before.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from relational_rnn.rl.config import PPO, AgentConfig, PlayConfig
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> small = {"learning": PPO(frames=512, epochs=1), "play": PlayConfig(games=32, test_episodes=4)}
        >>> config = AgentRun(task=CueRecall(), model=AgentConfig(models=("lstm",)), **small)
        >>> with TemporaryDirectory() as path:
        ...     folder = RunFolder(Path(path) / "run")
        ...     with folder.writing(command_of(config), config, resume=False):
        ...         train_one(config, folder, "lstm-0", report=lambda record: None, stopped=lambda: False)
        ...         folder.weights("lstm-0").exists()
        True
    """
    training = next(one for one in trainings_of(config) if one.name == name)
    checkpoint = folder.checkpoint(name)

    def note(record: dict[str, Any]) -> None:
        folder.append({"model": name, **record})
        report(record)

    with limit_threads(config.runtime.threads):
        agent = build_agent(config, training.model, training.seed)
        learner = Learner(config.task.batch(config.play.games), agent, config.learning, training.seed)
        progress = Progress(_settings(config, training))
        if checkpoint.exists():
            progress = _restore(checkpoint, learner, progress.settings)
        learn(config, learner, progress, note, stopped, checkpoint)
        if not learner.finished and progress.diverged is None:
            return
        frames = learner.done * learner.frames_of_rollout
        score = TrainedAgent(
            name=name,
            seed=training.seed,
            parameters=count_parameters(agent),
            frames=frames,
            seconds=round(progress.seconds, 2),
            frames_per_second=round(frames / progress.seconds, 1),
            curve_return=progress.curve_return,
            played=played_of(evaluate(config, agent, "score")),
            diverged=progress.diverged,
        )
    save_agent(folder.weights(name), agent, config, training)
    write_json(folder.score(name), to_json(score))


def learn(
    config: AgentRun,
    learner: Learner,
    progress: Progress,
    note: Report,
    stopped: Stopped,
    checkpoint: Path,
) -> None:
    """Train until all frames are played, the agent diverges, or somebody stops it; keep a checkpoint.

    Args:
        config: of the run.
        learner: what learns.
        progress: from where; it is kept up to date.
        note: gets a record after every update, with a point of the curve where there is one.
        stopped: asked after every update.
        checkpoint: file, written every half minute and at the end.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from relational_rnn.rl.config import PPO, AgentConfig, PlayConfig
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> small = {"learning": PPO(frames=512, epochs=1), "play": PlayConfig(games=32, test_episodes=4)}
        >>> config = AgentRun(task=CueRecall(), model=AgentConfig(models=("lstm",)), **small)
        >>> learner = Learner(config.task.batch(32), build_agent(config, "lstm"), config.learning)
        >>> records = []
        >>> with TemporaryDirectory() as path:
        ...     file = Path(path) / "lstm-0.safetensors"
        ...     learn(config, learner, Progress({}), records.append, lambda: False, file)
        >>> [record["frames"] for record in records]
        [512]
    """
    begin, saved = time.perf_counter() - progress.seconds, progress.seconds
    halt = False
    while not (learner.finished or halt or progress.diverged):
        try:
            record = record_of(learner.advance())
        except FloatingPointError as error:
            progress.diverged = f"{error}, in update {learner.done}; try a lower learning_rate"
            record = {"diverged": progress.diverged}
        progress.step, frames = learner.done, learner.done * learner.frames_of_rollout
        ends = learner.finished or progress.diverged is not None
        if ends or frames - progress.evaluated >= config.play.evaluate_every:
            episodes = evaluate(config, learner.agent, "curve")
            progress.curve_return, progress.evaluated = float(episodes.returns.mean()), frames
            record |= {"curve_return": progress.curve_return, "curve_steps": float(episodes.steps.mean())}
        progress.seconds = time.perf_counter() - begin
        where = {"step": learner.done, "frames": frames, "seconds": round(progress.seconds, 3)}
        note({**where, "progress": learner.done / learner.rollouts, **record})
        halt = stopped()
        if ends or halt or progress.seconds - saved >= CHECKPOINT_SECONDS:
            save_arrays(checkpoint, state_of(learner), dataclasses.asdict(progress))
            saved = progress.seconds


def _restore(checkpoint: Path, learner: Learner, settings: dict[str, Any]) -> Progress:
    """Let a learner go on from a checkpoint; return how far it had come.

    Raises:
        BadFile: it is damaged, or of another training.
    """
    arrays, notes = load_arrays(checkpoint, REMEDY)
    progress = _progress_of(notes, checkpoint)
    if progress.settings != settings:
        raise BadFile(checkpoint, "is the checkpoint of another training", "remove it or name another")
    try:
        load_state(learner, arrays)
    except ValueError as error:
        raise BadFile(checkpoint, f"is damaged, or of another agent: {error}", REMEDY) from None
    return progress


def _settings(config: AgentRun, training: AgentTraining) -> dict[str, Any]:
    """Return what two parts of one training share, as JSON has it."""
    plain = dataclasses.asdict(
        dataclasses.replace(config, runtime=type(config.runtime)(), seed=training.seed, seeds=1)
    )
    plain["model"]["models"] = [training.model]
    plain["task"] = {name: list(v) if isinstance(v, tuple) else v for name, v in plain["task"].items()}
    return plain


def record_of(update: Update) -> dict[str, Any]:
    """Return what an update came to; a mean over no episode is left out.

    Example:
        >>> record = record_of(Update(512, 0, float("nan"), 0.0, -0.01, 0.1, 1.38))
        >>> record["entropy"], "mean_return" in record
        (1.38, False)
    """
    return {name: value for name, value in update._asdict().items() if math.isfinite(value)}


def evaluate(config: AgentRun, agent: Agent, what: str) -> Episodes:
    """Play the levels that no training has.

    Args:
        config: of the run.
        agent: the player.
        what: "curve" or "score", which have other levels.

    Example:
        >>> from relational_rnn.rl.config import PPO, AgentConfig, PlayConfig
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> small = {"learning": PPO(frames=512, epochs=1), "play": PlayConfig(games=32, test_episodes=4)}
        >>> config = AgentRun(task=CueRecall(), model=AgentConfig(models=("lstm",)), **small)
        >>> evaluate(config, build_agent(config, "lstm"), "score").steps
        array([7, 7, 7, 7])
    """
    count = config.play.curve_episodes if what == "curve" else config.play.test_episodes
    player = AgentPlayer(agent, drawn=config.play.actions == "drawn")
    return play_episodes(config.task, player, count, LEVELS[what])


def summarise(config: AgentRun, folder: RunFolder, wall_seconds: float | None) -> AgentResults:
    """Put the scores of all trainings together with those of players that learn nothing; write results.json.

    `wall_seconds` is the time of the whole run, None if it was interrupted in between.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from relational_rnn.rl.config import PPO, AgentConfig, PlayConfig
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> small = {"learning": PPO(frames=512, epochs=1), "play": PlayConfig(games=32, test_episodes=4)}
        >>> config = AgentRun(task=CueRecall(), model=AgentConfig(models=("lstm",)), **small)
        >>> with TemporaryDirectory() as path:
        ...     folder = RunFolder(Path(path) / "run")
        ...     with folder.writing(command_of(config), config, resume=False):
        ...         train_one(config, folder, "lstm-0", report=lambda record: None, stopped=lambda: False)
        ...         results = summarise(config, folder, wall_seconds=None)
        >>> list(results.models), results.players["scripted"].mean_return
        (['lstm'], 1.0)
    """
    scores = {one.name: _read_score(folder, one.name) for one in trainings_of(config)}
    episodes, level = config.play.test_episodes, LEVELS["score"]
    results = AgentResults(
        game=config.task.name,
        settings=dataclasses.asdict(config.task),
        seed=config.seed,
        seeds=config.seeds,
        episodes=episodes,
        first_level=level,
        wall_seconds=wall_seconds,
        players={
            name: played_of(play_episodes(config.task, player, episodes, level))
            for name, player in find_trainable(config.task.name).players.items()
        },
        models={
            model: over_seeds(
                MODELS[model].label, [scores[one.name] for one in trainings_of(config) if one.model == model]
            )
            for model in sorted(config.model.models, key=list(MODELS).index)
        },
    )
    write_json(folder.results, to_json(results))
    return results


def _read_score(folder: RunFolder, name: str) -> TrainedAgent:
    path = folder.score(name)
    remedy = f"remove it: with --resume {name} is scored again, from its checkpoint"
    values = read_object(path, remedy)
    try:
        return decode(TrainedAgent, values, "score")
    except ValueError as error:
        raise BadFile(path, f"does not hold the score of an agent: {error}", remedy) from None
