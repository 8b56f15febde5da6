"""What a finished run of agents came to: its tables, its curves, and the page of `relational-rnn report`."""

from __future__ import annotations

import dataclasses
from statistics import mean
from typing import Any, NamedTuple

from relational_rnn.analysis import Table
from relational_rnn.analysis.report import AgentPage, ShownEpisode, size_of
from relational_rnn.analysis.report.data import ROOM
from relational_rnn.analysis.returns import ReturnCurve
from relational_rnn.config.checks import BadFile
from relational_rnn.rl.config import LEVELS, AgentRun, agent_run_from
from relational_rnn.rl.results import AgentResults, read_results
from relational_rnn.tasks.game_registry import find_trainable
from relational_rnn.training.decode import decode
from relational_rnn.training.results import REMEDY
from relational_rnn.training.run_folder import CONFIG_REMEDY, RunFolder

MOST_STEPS = 300
"""Of an episode on the page."""
MOST_LEVELS = 3
"""On the page, if they fit."""


class AgentsRun(NamedTuple):
    """A finished run of agents."""

    config: AgentRun
    folder: RunFolder
    results: AgentResults


def read_agents(folder: RunFolder) -> AgentsRun:
    """Read what a finished run of agents left behind.

    Raises:
        ValueError: it is not finished.
        BadFile: a file of it is damaged, or of another run.
    """
    recorded = folder.require()
    folder.require_results()
    results = read_results(folder.results)
    try:
        config = agent_run_from(find_trainable(recorded["command"].split()[1]), recorded["config"])
    except ValueError as error:
        raise BadFile(
            folder.config, f"does not hold the settings of agents: {error}", CONFIG_REMEDY
        ) from None
    there = results.game, results.seed, results.seeds, {*results.models}
    here = config.task.name, config.seed, config.seeds, {*config.model.models}
    if there != here:
        raise BadFile(
            folder.results, f"is of another run than config.json ({there} there, {here} here)", REMEDY
        )
    return AgentsRun(config, folder, results)


def title_of(config: AgentRun) -> str:
    """Return what is played, in words."""
    told = [f"{name} {_plain(value)}" for name, value in vars(config.task).items()]
    return f"{config.task.name} ({', '.join(told)})"


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def table_of(results: AgentResults) -> Table:
    """Return agents and players with what they scored; the best agent is in bold."""
    best = max(model.mean_return for model in results.models.values())
    rows = []
    for model in results.models.values():
        told = f"{model.mean_return:.2f}"
        if len(model.trainings) > 1:
            told += f" ({model.lowest_return:.2f} to {model.highest_return:.2f})"
        steps = mean(one.played.mean_steps for one in model.trainings)
        speed = mean(one.frames_per_second for one in model.trainings)
        cells = [model.label, f"{model.parameters:,}", told, f"{steps:.1f}", f"{speed:,.0f}"]
        rows.append((model.mean_return == best, cells))
    for name, one in results.players.items():
        cells = [f"{name} player", "-", f"{one.mean_return:.2f}", f"{one.mean_steps:.1f}", "-"]
        rows.append((False, cells))
    return Table(("agent", "parameters", "return", "steps", "frames/s"), rows)


def events_of(results: AgentResults) -> Table | None:
    """Return how often each thing happens in an episode of agents and players, means over the seeds.

    None for an environment of Gymnasium, which counts nothing.
    """
    everyone = {model.label: [one.played for one in model.trainings] for model in results.models.values()}
    everyone |= {f"{name} player": [one] for name, one in results.players.items()}
    events = tuple(next(iter(results.players.values())).events)
    if not events:
        return None
    rows = [
        (False, [who, *(f"{mean(one.events[event] for one in played):.2f}" for event in events)])
        for who, played in everyone.items()
    ]
    return Table(("agent", *events), rows)


class _Point(NamedTuple):
    """What every point of a curve in metrics.jsonl has."""

    frames: int
    curve_return: float


def _points(folder: RunFolder, name: str) -> list[_Point]:
    records = [record for record in folder.records(name) if "curve_return" in record]
    try:
        if not records:
            raise ValueError("it has no point of the curve")
        return [
            decode(_Point, {field: one[field] for field in _Point._fields if field in one}, "a point")
            for one in records
        ]
    except ValueError as error:
        files = f"{folder.score(name)} and {folder.checkpoint(name)}"
        remedy = f"remove {files}: with --resume {name} then starts anew"
        what = f"is missing or damaged, for the finished training {name}: {error}"
        raise BadFile(folder.metrics, what, remedy) from None


def curves_of(config: AgentRun, folder: RunFolder, results: AgentResults) -> list[ReturnCurve]:
    """Return a curve for each core: mean and range over the seeds.

    Raises:
        BadFile: metrics.jsonl lacks a curve, or a point is damaged.
    """
    found = []
    for name, model in results.models.items():
        seeds = [_points(folder, one.name) for one in model.trainings]
        shared = min(map(len, seeds))
        columns = list(zip(*([point.curve_return for point in one[:shared]] for one in seeds)))
        found.append(
            ReturnCurve(
                model.label,
                name,
                frames=[point.frames for point in seeds[0][:shared]],
                returns=[sum(column) / len(column) for column in columns],
                low=[min(column) for column in columns] if config.seeds > 1 else [],
                high=[max(column) for column in columns] if config.seeds > 1 else [],
            )
        )
    return found


def about(results: AgentResults) -> str:
    """Return what the scores are of, in words."""
    several = f"means of {results.seeds} seeds (lowest to highest)" if results.seeds > 1 else "one seed"
    return f"{results.episodes} episodes on levels that no agent trained on; {several}"


def diverged(results: AgentResults) -> list[str]:
    """Return which trainings diverged, in words."""
    return [
        f"{training.name}: {training.diverged}"
        for model in results.models.values()
        for training in model.trainings
        if training.diverged is not None
    ]


def finding_of(results: AgentResults) -> str:
    """Return what agents and players scored, the best agent first, in a sentence without its full stop."""
    ranked = sorted(results.models.values(), key=lambda model: -model.mean_return)
    agents = ", ".join(f"{model.label} {model.mean_return:.2f}" for model in ranked)
    players = ", ".join(f"{name} player {one.mean_return:.2f}" for name, one in results.players.items())
    one_seed = " (one seed)" if results.seeds == 1 else ""
    return f"Mean return: {agents}; {players}{one_seed}"


def seeds_of(results: AgentResults) -> Table:
    """Return every training with what it scored."""
    rows = []
    for model in results.models.values():
        for one in model.trainings:
            cells = [f"{model.label}, seed {one.seed}", f"{one.played.mean_return:.2f}"]
            cells += [f"{one.played.lowest_return:.2f}", f"{one.played.highest_return:.2f}"]
            cells += [str(one.played.truncated), f"{one.frames:,}", f"{one.seconds:,.0f}"]
            rows.append((False, cells))
    return Table(("agent", "return", "lowest", "highest", "at the frame cap", "frames", "seconds"), rows)


def agents_page(run: AgentsRun) -> AgentPage:
    """Return what the page shows of a run; it plays some episodes.

    Raises:
        BadFile: a file of the run is damaged.
        ImportError: torch is absent.
    """
    config, folder, results = run
    gone = [
        f"{model.label} ({folder.weights(one.name).name})"
        for model in results.models.values()
        for one in model.trainings
        if not folder.weights(one.name).exists()
    ]
    tables = (("What happens in an episode", events_of(results)), ("Every training", seeds_of(results)))
    notes = [f"Episodes are left out, as weights are gone: {', '.join(gone)}."] if gone else []
    return AgentPage(
        name=str(folder.path),
        title=title_of(config),
        description=find_trainable(config.task.name).description,
        finding=finding_of(results),
        about=about(results),
        scores=table_of(results),
        others=[(heading, table) for heading, table in tables if table is not None],
        curves=curves_of(config, folder, results),
        players={name: played.mean_return for name, played in results.players.items()},
        episodes=[] if gone else _episodes(run),
        notes=[*notes, *diverged(results)],
        config=folder.require(),
        results=dataclasses.asdict(results),
    )


def _episodes(run: AgentsRun) -> list[ShownEpisode]:
    """Let the best agent with each core play the first levels of the scores, as many as fit on the page."""
    from relational_rnn.rl.agents import find_agent
    from relational_rnn.rl.watch import watch

    found, used = list[ShownEpisode](), 0
    agents = [find_agent(run.folder.path, model) for model in run.results.models]
    for level in range(LEVELS["score"], LEVELS["score"] + MOST_LEVELS):
        for agent, config, training in agents:
            drawn = config.play.actions == "drawn"
            episode = watch(agent, config.task, seed=level, drawn=drawn, most=MOST_STEPS)
            label = run.results.models[training.model].label
            found.append(ShownEpisode(training.model, label, training.label, level, episode))
        last = sum(size_of(one.episode) for one in found[-len(agents) :])
        used += last
        if used + last > ROOM:
            break
    return sorted(found, key=lambda one: [*run.results.models].index(one.model))
