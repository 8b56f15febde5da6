"""The report of agents: scores and curves, then episodes and what the agents do inside, then all numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np

from relational_rnn.analysis.report.data import ROOM, coded, in_base64, slot_words, thinned
from relational_rnn.analysis.report.shell import again_html, curves_html, inside_html, page, table_html
from relational_rnn.analysis.returns import ReturnCurve, near_and_far
from relational_rnn.analysis.style import colour_of, marker_of
from relational_rnn.analysis.tables import Table
from relational_rnn.tasks.episodes import Episode
from relational_rnn.training.files import write_text

INSIDE: Final = ("attention", "input_gate", "forget_gate", "norms")
"""What is recorded inside an agent."""
MOST_COLOURS: Final = 256
"""Of the boards of an episode: a cell is a byte on the page."""


@dataclass(frozen=True, eq=False)
class ShownEpisode:
    """An episode of an agent on the page."""

    model: str
    """Of its core."""
    label: str
    """What people call the core."""
    training: str
    """What people call the agent: with its seed, if there are several."""
    level: int
    """Seed of the level."""
    episode: Episode
    """At least one step."""


@dataclass(frozen=True, eq=False)
class AgentPage:
    """What the page shows of a run of agents."""

    name: str
    """What the page calls it: its folder."""
    title: str
    """The game and its settings in words."""
    description: str
    """What the game asks."""
    finding: str
    """What came of it, in a sentence."""
    about: str
    """What the scores are of, in words."""
    scores: Table
    """Of agents and players."""
    others: Sequence[tuple[str, Table]]
    """More tables, each with its heading."""
    curves: Sequence[ReturnCurve]
    """Of each core, at least one."""
    players: Mapping[str, float]
    """Mean returns of players that learn nothing."""
    episodes: Sequence[ShownEpisode]
    """None if no agent can be loaded."""
    notes: Sequence[str]
    """What is missing or went wrong."""
    config: Mapping[str, Any]
    """The run's config.json."""
    results: Mapping[str, Any]
    """Its results.json."""


def write_agents_report(path: Path, run: AgentPage) -> Path:
    """Write the report of agents, atomically; return its path."""
    write_text(path, agents_html(run))
    return path


def agents_html(run: AgentPage) -> str:
    """Return the report of a run of agents."""
    near, far = near_and_far(run.curves, run.players)
    shaded = ["Shaded: lowest to highest seed."] if any(curve.low for curve in run.curves) else []
    words = " ".join(["Dashed: players that learn nothing.", *(f"{one}." for one in far), *shaded])
    caption = f"<b>Mean return</b>, {escape(run.about)}. Bold: the highest of an agent."
    room = ROOM // max(1, len(run.episodes))
    episodes = [_episode_values(one, room) for one in run.episodes]
    parts = [
        f'<section id="finding"><h1>{escape(run.finding)}.</h1>',
        f"<p>{escape(run.description)}</p>",
        f'<p class="note">{escape(run.title)}</p>',
        '<div class="runs one"><article class="run"><div>',
        table_html(run.scores, caption, spare=("parameters",)),
        *(f'<p class="note">{escape(note)}</p>' for note in run.notes),
        "</div>",
        curves_html(0, words, '<option value="returns">mean return</option>'),
        "</article></div></section>",
        "<noscript><p>Curves and episodes need JavaScript; the tables do not.</p></noscript>",
        inside_html(
            heading="Episodes: what an agent sees, does and expects",
            words=_episodes_words(episodes),
            run="episode",
            choose_run=True,
            hidden=not episodes,
            episode=True,
        ),
        '<section id="numbers"><h2>All numbers</h2>',
        *(
            f"<details{' open' if at == 0 else ''}><summary>{heading}</summary>{table_html(table)}</details>"
            for at, (heading, table) in enumerate(run.others)
        ),
        "<h3>Make it again</h3>",
        again_html(run.config),
        "<details><summary>Raw numbers: results.json</summary>"
        f"<pre>{escape(json.dumps(run.results, indent=1))}</pre></details>",
        "</section>",
    ]
    nav = [("finding", "Finding"), *([("inside", "Episodes")] if episodes else []), ("numbers", "Numbers")]
    training = {
        "models": [_model_values(curve.model, curve.name) for curve in run.curves],
        "curves": [_curve_values(curve) for curve in run.curves],
        "losses": [],
        "counted": "frames",
        "players": [[f"{name} player {value:.2f}", value] for name, value in near.items()],
    }
    return page(
        title=f"{run.name}: {run.finding}",
        name=run.title.partition(" (")[0],
        body="\n".join(parts),
        nav=nav,
        data={"training": training, "runs": episodes},
    )


def _episodes_words(episodes: Sequence[Mapping[str, Any]]) -> str:
    told = (
        "The step slider moves everything below it; the arrow keys move the slider, the space bar plays. "
        "Step t shows the board after t actions, and what the agent does then. No agent trained on these "
        "levels."
    )
    if any(one["inside"]["cut"] for one in episodes):
        told += " Long episodes are cut to what fits on the page."
    return told


def _model_values(model: str, label: str) -> dict[str, str]:
    return {"name": model, "label": label, "colour": colour_of(model), "mark": marker_of(model)}


def _curve_values(curve: ReturnCurve) -> dict[str, Any]:
    chosen = thinned(len(curve.frames))

    def some(values: Sequence[float]) -> list[float]:
        return [round(values[at], 4) for at in chosen] if values else []

    parts = {"examples": curve.frames, "values": curve.returns, "low": curve.low, "high": curve.high}
    points = {name: some(values) for name, values in parts.items()}
    model = {"label": curve.name, "model": curve.model, "colour": colour_of(curve.model)}
    return model | points | {"seconds": []}


def size_of(episode: Episode) -> int:
    """Return how many bytes an episode takes on a page, before base64."""
    return len(episode.pictures) * _step_size(episode)


def _step_size(episode: Episode) -> int:
    inside = [getattr(episode, name) for name in INSIDE]
    return int(episode.pictures[0, ..., 0].size + sum(one[0].size for one in inside if one is not None))


def _episode_values(shown: ShownEpisode, room: int) -> dict[str, Any]:
    """Return what the scripts read of an episode: as many of its first steps as fit into `room` bytes.

    A step has its board; the one after the last action has no thoughts of its own, and repeats the last ones.
    """
    episode = shown.episode
    steps = max(1, min(len(episode.chosen), room // _step_size(episode) - 1))
    cut = steps < len(episode.chosen)
    palette, cells = _few_colours(episode.pictures[: steps + 1])
    inside: dict[str, Any] = {
        "transformer": False,
        "boards": {"shape": [1, *cells.shape], "bytes": in_base64(cells)},
    }
    for name in INSIDE:
        values = getattr(episode, name)
        if values is not None:
            inside[name] = coded(name, values[[*range(steps), steps - 1]][None])
    if episode.attention is not None:
        inside["words"] = slot_words(episode.attention, shown.label)
    ends = "the episode goes on" if cut or not episode.over else "the episode is over"
    actions = [episode.actions[action] for action in episode.chosen[:steps]]
    total = f"{episode.rewards.sum():.2f}".rstrip("0").rstrip(".")
    goes_on = "" if episode.over else " so far"
    return {
        "name": f"{shown.training}, level {shown.level}: return {total}{goes_on}",
        "models": [_model_values(shown.model, shown.training)],
        "examples": [],
        "inside": {
            "shown": [0],
            "steps": [[*actions, "over" if ends.endswith("over") else "..."]],
            "first": -1,
            "cut": cut or not episode.over,
            "models": {shown.model: inside},
        },
        "episode": {
            "actions": list(episode.actions),
            "palette": palette.tolist(),
            "chosen": episode.chosen[:steps].tolist(),
            "probabilities": np.round(episode.probabilities[:steps].astype(float), 3).tolist(),
            "values": np.round(episode.values[:steps].astype(float), 3).tolist(),
            "rewards": np.round(episode.rewards[:steps].astype(float), 3).tolist(),
            "ends": ends,
        },
    }


def _few_colours(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the colours of pictures (T, H, W, 3), and the number of each cell's, (T, H, W).

    Of too many colours brightness is told in steps of 2, or 4, ...
    """
    for bits in range(8):
        coarse = (pictures >> bits << bits).astype(np.uint32)
        codes, cells = np.unique(coarse @ (1 << np.array([16, 8, 0], np.uint32)), return_inverse=True)
        if len(codes) <= MOST_COLOURS:
            break
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], 1), cells.reshape(pictures.shape[:3])
