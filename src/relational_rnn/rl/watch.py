"""One episode of an agent, with what it did and expected, and what an RMC attended to."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from relational_rnn.nn import RelationalMemory
from relational_rnn.rl.ppo import Agent, AgentPlayer, add_time, look
from relational_rnn.tasks.episodes import Episode


@torch.no_grad()
def watch(agent: Agent, task: Any, *, seed: int, drawn: bool = True, most: int = 300) -> Episode:
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
        (4, 1, 1, 3, 4)
    """
    games, player, core = task.batch(1), AgentPlayer(agent, drawn=drawn), agent.core
    games.reset(seed)
    generator, traces, memories = np.random.default_rng(seed), list[Any](), list[Any]()
    steps: list[tuple[Any, ...]] = []
    pictures, over = [games.picture(0)], False
    while not over and len(steps) < most:
        before = player.state
        if isinstance(core, RelationalMemory):
            seen, resets = look(games, agent.device)
            inputs = agent.encode(add_time(seen), (1, 1))
            _, memory, trace = core(inputs, before, resets=resets[None], return_trace=True)
            traces.append(trace)
            memories.append(memory)
        probabilities, values = player.think(games)
        action = player.choose(probabilities, generator)
        outcome = games.step(action)
        over = bool(outcome.terminated[0] or outcome.truncated[0])
        pictures.append(games.picture(0))
        steps.append((action[0], probabilities[0], values[0], outcome.rewards[0]))
    chosen, probabilities, values, rewards = (np.stack(part) for part in zip(*steps))
    inside: dict[str, np.ndarray] = {}
    if traces:
        inside["attention"] = np.stack([one.attention[0, 0].cpu().numpy() for one in traces])
        inside["norms"] = np.stack([memory[0].norm(dim=-1).cpu().numpy() for memory in memories])
        for gate in ("input_gate", "forget_gate"):
            if getattr(traces[0], gate) is not None:
                inside[gate] = np.stack([getattr(one, gate)[0, 0].mean(-1).cpu().numpy() for one in traces])
    return Episode(
        np.stack(pictures), tuple(games.actions), chosen, probabilities, values, rewards, over, **inside
    )
