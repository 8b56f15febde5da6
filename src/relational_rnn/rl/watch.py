"""One episode of an agent, with what it did and expected, and what an RMC attended to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from relational_rnn.nn import RelationalMemory
from relational_rnn.rl.ppo import Agent, AgentPlayer, add_time, look

if TYPE_CHECKING:
    from jaxtyping import Float, Int64, UInt8


class Watched(NamedTuple):
    """T steps of an episode, from its first on."""

    pictures: UInt8[np.ndarray, "T+1 H W 3"]
    """The board before each step, and after the last; one pixel a cell."""
    actions: tuple[str, ...]
    """All A of them in words, by number."""
    chosen: Int64[np.ndarray, " T"]
    """The actions taken."""
    probabilities: Float[np.ndarray, "T A"]
    """Of all actions."""
    values: Float[np.ndarray, " T"]
    """The sum of discounted rewards that the agent expects."""
    rewards: Float[np.ndarray, " T"]
    """That followed."""
    attention: Float[np.ndarray, "T N M"] | None
    """RMC: from each slot to each slot and, last, the input, the mean over heads and rounds; else None."""
    input_gate: Float[np.ndarray, "T N"] | None
    """RMC with gates: how far each slot was opened, the mean over its features; else None."""


@torch.no_grad()
def watch(agent: Agent, task: Any, *, seed: int, drawn: bool = True, most: int = 300) -> Watched:
    """Let an agent play an episode and record it.

    Args:
        agent: the player.
        task: the game, with its settings.
        seed: of the level, and of the actions.
        drawn: draw actions from their probabilities; else take the most likely ones.
        most: steps that are recorded; a longer episode is not played to its end.

    Example:
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> task = CueRecall(delay=2)
        >>> agent = Agent(task.batch(1), lambda size: RelationalMemory(size, mem_slots=3, head_size=4))
        >>> watch(agent, task, seed=0).attention.shape
        (4, 3, 4)
    """
    games, player, core = task.batch(1), AgentPlayer(agent, drawn=drawn), agent.core
    games.reset(seed)
    generator, traces = np.random.default_rng(seed), list[Any]()
    steps: list[tuple[Any, ...]] = []
    pictures, over = [games.picture(0)], False
    while not over and len(steps) < most:
        before = player.state
        if isinstance(core, RelationalMemory):
            seen, resets = look(games, agent.device)
            inputs = agent.encode(add_time(seen), (1, 1))
            traces.append(core(inputs, before, resets=resets[None], return_trace=True)[2])
        probabilities, values = player.think(games)
        action = player.choose(probabilities, generator)
        outcome = games.step(action)
        over = bool(outcome.terminated[0] or outcome.truncated[0])
        pictures.append(games.picture(0))
        steps.append((action[0], probabilities[0], values[0], outcome.rewards[0]))
    chosen, probabilities, values, rewards = (np.stack(part) for part in zip(*steps))
    gated = bool(traces) and traces[0].input_gate is not None
    return Watched(
        np.stack(pictures),
        tuple(games.actions),
        chosen,
        probabilities,
        values,
        rewards,
        np.stack([one.attention[0, 0].mean((0, 1)).cpu().numpy() for one in traces]) if traces else None,
        np.stack([one.input_gate[0, 0].mean(-1).cpu().numpy() for one in traces]) if gated else None,
    )
