"""Proximal policy optimisation (Schulman et al. 2017) for an agent with a recurrent core, in one file.

The agent plays a batch of games for T steps, from the state that its core has then. The update runs the core
over the same T steps from the same state, restarting each game's state where an episode began, so that the
first pass of the first epoch gives the probabilities that the agent played with: the ratio

    r = pi(a | o) / pi_played(a | o) = exp(log pi - log pi_played)

is 1. The policy's loss is -mean(min(r A, clip(r, 1 - c, 1 + c) A)) with advantages A by generalised advantage
estimation (Schulman et al. 2016), the value's is half the mean squared error; an entropy bonus is added.
Minibatches are whole games: their sequences stay together.

An episode that was stopped at its frame cap is not over: its last reward counts the value of what came next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from relational_rnn.config.checks import check_seed
from relational_rnn.nn import Core
from relational_rnn.rl.config import PPO
from relational_rnn.tasks.games import Games


class Agent(nn.Module):
    """An encoder of what is seen, a recurrent core, and a linear layer each for the policy and the value.

    Vectors are encoded by a linear layer; pictures by two convolutions of 12 and 24 kernels of 2 x 2 cells,
    with two planes of coordinates added, as in the paper's Viewport BoxWorld; of a dict each part. Pictures
    are centred first and their features normalised (Ba et al. 2016), without which an agent tells cells of
    similar colours apart late. The agent may be moved to a GPU; the games stay on the CPU.

    Args:
        games: whose observations and actions it is for.
        core: features of an input -> a core, such as `lambda size: LSTM(size, 64)`, time first.
        width: features of an encoded observation, of each part of a dict.

    Raises:
        ValueError: the core is batch first.

    Example:
        >>> from relational_rnn.nn import RelationalMemory
        >>> from relational_rnn.tasks.mini_pacman import MiniPacman
        >>> games = MiniPacman(view="viewport").batch(4)
        >>> agent = Agent(games, lambda size: RelationalMemory(size, mem_slots=4, head_size=8, num_heads=2))
        >>> seen, resets = as_tensors(games.reset(seed=0))[None], torch.ones(1, 4, dtype=torch.bool)
        >>> logits, values, state = agent(seen, agent.core.initial_state(4), resets)
        >>> logits.shape, values.shape
        (torch.Size([1, 4, 5]), torch.Size([1, 4]))
    """

    core: Core

    def __init__(self, games: Games, core: Callable[[int], Core], width: int = 64) -> None:
        """Draw the parameters, from torch's own generator."""
        super().__init__()
        seen = games.task.batch(1).reset(0)
        parts = seen if isinstance(seen, dict) else {"all": seen}
        self.encoders = nn.ModuleDict({name: _encoder(part.shape[1:], width) for name, part in parts.items()})
        made = core(width * len(parts))
        if made.batch_first:
            raise ValueError("an agent's core takes (T, B, F): make it with batch_first=False")
        self.core = made
        self.policy = nn.Linear(made.output_size, len(games.actions))
        self.critic = nn.Linear(made.output_size, 1)
        for layer, scale in ((self.policy, 0.01), (self.critic, 1.0)):
            nn.init.orthogonal_(layer.weight, scale)
            nn.init.zeros_(layer.bias)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.policy.weight.device

    def forward(self, seen: Any, state: Any, resets: Tensor) -> tuple[Tensor, Tensor, Any]:
        """Go over T steps of B games.

        Args:
            seen: observations (T, B, ...), or a dict of them.
            state: of the core before the first step.
            resets: (T, B) bool, the first steps of episodes.

        Returns:
            Logits of the actions (T, B, A), values (T, B), and the core's last state.
        """
        outputs, state = self.core(self.encode(seen, resets.shape), state, resets=resets)
        return self.policy(outputs), self.critic(outputs).squeeze(-1), state

    def encode(self, seen: Any, shape: tuple[int, ...]) -> Tensor:
        """Return what the core reads of observations: (T, B, F), of the shape (T, B)."""
        parts = seen if isinstance(seen, dict) else {"all": seen}
        encoded = [self.encoders[name](part.flatten(0, 1)) for name, part in parts.items()]
        inputs: Tensor = torch.cat(encoded, -1).unflatten(0, shape)
        return inputs


class AddCoordinates(nn.Module):
    """Colours from -1 to 1 instead of 0 to 1, and two planes more: each cell's column and row, likewise.

    Example:
        >>> AddCoordinates()(torch.zeros(1, 3, 2, 2))[0, 3]  # the columns
        tensor([[-1.,  1.],
                [-1.,  1.]])
    """

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C + 2, H, W)."""
        rows, columns = (torch.linspace(-1, 1, size).to(pictures) for size in pictures.shape[-2:])
        planes = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))
        return torch.cat([2 * pictures - 1, planes.expand(len(pictures), -1, -1, -1)], 1)


def _encoder(shape: tuple[int, ...], width: int) -> nn.Module:
    """Return the encoder of one part of an observation."""
    if len(shape) == 1:
        return nn.Sequential(nn.Linear(shape[0], width), nn.ReLU())
    channels, height, across = shape
    return nn.Sequential(
        AddCoordinates(),
        nn.Conv2d(channels + 2, 12, 2),
        nn.ReLU(),
        nn.Conv2d(12, 24, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24 * (height - 2) * (across - 2), width),
        nn.LayerNorm(width),
        nn.ReLU(),
    )


class Rollout(NamedTuple):
    """T steps of B games, and what the agent thought then.

    Example:
        >>> from relational_rnn.nn import LSTM
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> games = CueRecall(delay=1).batch(8)
        >>> agent = Agent(games, lambda size: LSTM(size, 16), width=16)
        >>> learner = Learner(games, agent, PPO(rollout=6, epochs=1))
        >>> where, how = (learner.state, learner.scores), (learner.config, learner.generator)
        >>> rollout, _, _ = play(games, agent, *where, *how)
        >>> rollout.seen.shape, rollout.advantages.shape  # T, B, F; T, B
        (torch.Size([6, 8, 5]), torch.Size([6, 8]))
    """

    seen: Any
    """(T, B, ...), or a dict of such."""
    resets: Tensor
    """(T, B) bool: the first steps of episodes."""
    actions: Tensor
    """(T, B)."""
    log_probabilities: Tensor
    """(T, B): of these actions when they were played."""
    advantages: Tensor
    """(T, B)."""
    returns: Tensor
    """(T, B): what the values should have been."""
    state: Any
    """Of the core before the first step."""


class Update(NamedTuple):
    """What one rollout and its update came to.

    Example:
        >>> from relational_rnn.nn import LSTM
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> games = CueRecall(delay=1).batch(8)
        >>> agent = Agent(games, lambda size: LSTM(size, 16), width=16)
        >>> one = Learner(games, agent, PPO(rollout=6, epochs=1)).advance()
        >>> one.frames, one.episodes, one.first_ratio < 1e-3
        (48, 16, True)
    """

    frames: int
    """Played so far."""
    episodes: int
    """That ended in this rollout."""
    mean_return: float
    """Of these, not discounted; NaN if none ended."""
    first_ratio: float
    """The largest distance of a ratio from 1 in the first minibatch, before anything was learned from it."""
    policy_loss: float
    value_loss: float
    entropy: float
    """Means over the update."""


def train(games: Games, agent: Agent, config: PPO, seed: int = 0) -> Iterator[Update]:
    """Train an agent; after every update yield what it came to.

    Args:
        games: B games, which are started anew.
        agent: what learns.
        config: how.
        seed: of the games, the actions and the minibatches.

    Raises:
        TypeError: the seed is no integer.
        ValueError: more minibatches than games, minibatches of one step, or a seed out of range.

    Example:
        >>> from relational_rnn.nn import LSTM
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> games = CueRecall(delay=1).batch(8)
        >>> agent = Agent(games, lambda size: LSTM(size, 16), width=16)
        >>> [update.frames for update in train(games, agent, PPO(frames=256))]
        [128, 256]
    """
    learner = Learner(games, agent, config, seed)
    while not learner.finished:
        yield learner.advance()


class Learner:
    """An agent that learns from a batch of games, one rollout at a time; `train` without the loop.

    Args:
        games, agent, config, seed: see `train`.

    Example:
        >>> from relational_rnn.nn import LSTM
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> games = CueRecall(delay=1).batch(8)
        >>> agent = Agent(games, lambda size: LSTM(size, 16), width=16)
        >>> learner = Learner(games, agent, PPO(frames=48, rollout=6, epochs=1))
        >>> learner.advance().frames, learner.finished
        (48, True)
    """

    def __init__(self, games: Games, agent: Agent, config: PPO, seed: int = 0) -> None:
        """Start the games."""
        batch = games.batch_size
        config.check_games(batch)
        self.games, self.agent, self.config = games, agent, config
        self.generator = torch.Generator().manual_seed(check_seed("seed", seed))
        self.optimiser = torch.optim.Adam(agent.parameters(), lr=config.learning_rate, eps=1e-5)
        self.frames_of_rollout = config.rollout * batch
        self.rollouts = -(-config.frames // self.frames_of_rollout)
        self.done = 0
        """Rollouts that were learned from."""
        games.reset(seed * batch)  # so that no two seeds have a level in common
        self.state = agent.core.initial_state(batch)
        """Of the core, after the last rollout."""
        self.scores = np.zeros(batch)
        """Sums of the rewards of the present episodes."""

    @property
    def finished(self) -> bool:
        """Whether all frames were played."""
        return self.done >= self.rollouts

    def advance(self) -> Update:
        """Play a rollout, learn from it, and return what it came to.

        Raises:
            FloatingPointError: the agent is no longer finite; it stays as it was before.
        """
        before = [parameter.detach().clone() for parameter in self.agent.parameters()]
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * (1 - self.done / self.rollouts)
        rollout, self.state, ended = play(
            self.games, self.agent, self.state, self.scores, self.config, self.generator
        )
        losses = update(self.agent, self.optimiser, rollout, self.config, self.generator)
        if not self._answers():
            with torch.no_grad():
                for parameter, value in zip(self.agent.parameters(), before):
                    parameter.copy_(value)
            raise FloatingPointError("training diverged: the probabilities of the actions are not finite")
        self.done += 1
        mean = sum(ended) / len(ended) if ended else float("nan")
        return Update(self.done * self.frames_of_rollout, len(ended), mean, *losses)

    @torch.no_grad()
    def _answers(self) -> bool:
        """Return whether the agent's probabilities and values are finite, of what it sees now."""
        seen, resets = look(self.games, self.agent.device)
        logits, values, _ = self.agent(add_time(seen), self.state, resets[None])
        return bool(logits.log_softmax(-1).isfinite().all() & values.isfinite().all())


@torch.no_grad()
def play(
    games: Games, agent: Agent, state: Any, scores: np.ndarray, config: PPO, generator: torch.Generator
) -> tuple[Rollout, Any, list[float]]:
    """Play T steps of each game; episodes that end are followed by the next ones.

    Args:
        games: started.
        agent: the player.
        state: of its core.
        scores: (B,) of the present episodes; they go on here.
        config: `rollout`, `discount` and `gae`.
        generator: of the actions.

    Returns:
        The rollout, the core's state after it, and the returns of the episodes that ended.

    Raises:
        FloatingPointError: the agent's probabilities are not finite.

    Example:
        >>> from relational_rnn.nn import LSTM
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> games = CueRecall(delay=1).batch(8)
        >>> agent = Agent(games, lambda size: LSTM(size, 16), width=16)
        >>> learner = Learner(games, agent, PPO(rollout=6, epochs=1))
        >>> where, how = (learner.state, learner.scores), (learner.config, learner.generator)
        >>> rollout, _, ended = play(games, agent, *where, *how)
        >>> rollout.actions.shape, len(ended)  # each game of three steps was played twice
        (torch.Size([6, 8]), 16)
    """
    first, ended, device = state, list[float](), agent.device
    steps: list[tuple[Any, Tensor, Tensor, Tensor, Tensor]] = []
    rewards, over = np.zeros((2, config.rollout, games.batch_size), np.float32)
    for step in range(config.rollout):
        seen, resets = look(games, device)
        logits, values, state = agent(add_time(seen), state, resets[None])
        log = logits[0].log_softmax(-1)
        if not log.isfinite().all():
            raise FloatingPointError("training diverged: the probabilities of the actions are not finite")
        actions = torch.multinomial(log.exp().cpu(), 1, generator=generator)
        chosen = actions.to(device)
        steps.append((seen, resets, chosen[:, 0], log.gather(-1, chosen)[:, 0], values[0]))
        outcome = games.step(actions[:, 0].numpy())
        rewards[step] = outcome.rewards
        scores += outcome.rewards
        over[step] = finished = outcome.terminated | outcome.truncated
        if outcome.truncated.any():
            goes_on = torch.zeros(1, games.batch_size, dtype=torch.bool, device=device)
            _, after, _ = agent(add_time(look(games, device)[0]), state, goes_on)
            rewards[step] += config.discount * after[0].cpu().numpy() * outcome.truncated
        ended += scores[finished].tolist()
        scores[finished] = 0
        games.restart(finished)
    seen, resets = look(games, device)
    _, last, _ = agent(add_time(seen), state, resets[None])
    seen, began, acted, log_probabilities, values = (_stack(part) for part in zip(*steps))
    advantages = estimate_advantages(
        torch.from_numpy(rewards).to(device),
        torch.from_numpy(over).to(device),
        values,
        last[0],
        config.discount,
        config.gae,
    )
    return (
        Rollout(seen, began, acted, log_probabilities, advantages, advantages + values, first),
        state,
        ended,
    )


def estimate_advantages(
    rewards: Tensor, over: Tensor, values: Tensor, last: Tensor, discount: float, gae: float
) -> Tensor:
    """Return generalised advantage estimates.

    A_t = d_t + discount gae A_{t+1} with d_t = r_t + discount v_{t+1} - v_t; where the episode was over after
    step t, what comes after counts 0.

    Args:
        rewards: (T, B).
        over: (T, B), 1 where the episode ended with the step.
        values: (T, B) of what was seen before each step.
        last: (B,), the value of what is seen after the last step.
        discount: from 0 to 1.
        gae: lambda, from 0 to 1.

    Example:
        >>> ones, zeros = torch.ones(3, 1), torch.zeros(3, 1)
        >>> estimate_advantages(ones, torch.tensor([[0.0], [1.0], [0.0]]), zeros, zeros[0], 0.5, 1.0)[:, 0]
        tensor([1.5000, 1.0000, 1.0000])
    """
    advantages = torch.zeros_like(rewards)
    after, following = torch.zeros_like(last), last
    for step in reversed(range(len(rewards))):
        goes_on = 1 - over[step]
        error = rewards[step] + discount * following * goes_on - values[step]
        advantages[step] = after = error + discount * gae * goes_on * after
        following = values[step]
    return advantages


def update(
    agent: Agent,
    optimiser: torch.optim.Optimizer,
    rollout: Rollout,
    config: PPO,
    generator: torch.Generator,
) -> tuple[float, float, float, float]:
    """Learn from a rollout.

    Returns:
        The largest distance of a ratio from 1 in the first minibatch; means of policy loss, value loss and
        entropy.

    Raises:
        FloatingPointError: the loss or the gradients are not finite; the parameters stay as they were.

    Example:
        >>> from relational_rnn.nn import LSTM
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> games = CueRecall(delay=1).batch(8)
        >>> agent = Agent(games, lambda size: LSTM(size, 16), width=16)
        >>> learner = Learner(games, agent, PPO(rollout=6, epochs=1))
        >>> where, how = (learner.state, learner.scores), (learner.config, learner.generator)
        >>> rollout, _, _ = play(games, agent, *where, *how)
        >>> first_ratio, *_ = update(agent, learner.optimiser, rollout, *how)
        >>> first_ratio < 1e-3
        True
    """
    games, seen_losses, first_ratio = rollout.actions.shape[1], [], 0.0
    axes = _batch_axes(agent.core)
    for epoch in range(config.epochs):
        order = torch.randperm(games, generator=generator).to(agent.device)
        for part, rows in enumerate(order.tensor_split(config.minibatches)):
            seen = _map(itemgetter((slice(None), rows)), rollout.seen)
            logits, values, _ = agent(seen, _rows(rollout.state, axes, rows), rollout.resets[:, rows])
            log = logits.log_softmax(-1)
            chosen = log.gather(-1, rollout.actions[:, rows, None])[..., 0]
            ratio = (chosen - rollout.log_probabilities[:, rows]).exp()
            if epoch == part == 0:
                first_ratio = (ratio - 1).abs().max().item()
            advantages = rollout.advantages[:, rows]
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
            clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
            policy_loss = -torch.minimum(ratio * advantages, clipped * advantages).mean()
            value_loss = 0.5 * (values - rollout.returns[:, rows]).square().mean()
            entropy = -(log.exp() * log).sum(-1).mean()
            optimiser.zero_grad()
            loss = policy_loss + config.value * value_loss - config.entropy * entropy
            loss.backward()
            norm = nn.utils.clip_grad_norm_(agent.parameters(), config.max_norm)
            if not (loss.isfinite() & norm.isfinite()):
                raise FloatingPointError(f"training diverged: loss {loss.item()}, gradient {norm.item()}")
            optimiser.step()
            seen_losses.append(torch.stack([policy_loss, value_loss, entropy]).detach())
    policy, value, bonus = torch.stack(seen_losses).mean(0).tolist()
    return first_ratio, policy, value, bonus


class AgentPlayer:
    """A trained agent as a player: (games, generator) -> an action for each game.

    It keeps the state of its core from step to step, for one batch of games; see `tasks.episodes`.

    Args:
        agent: the agent.
        drawn: draw actions from their probabilities; else take the most likely ones.

    Example:
        >>> from relational_rnn.nn import LSTM
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> from relational_rnn.tasks.episodes import play_episodes
        >>> agent = Agent(CueRecall().batch(1), lambda size: LSTM(size, 16))
        >>> play_episodes(CueRecall(), AgentPlayer(agent), 3, seed=0).steps
        array([7, 7, 7])
    """

    def __init__(self, agent: Agent, *, drawn: bool = False) -> None:
        """Begin without a state."""
        self.agent, self.drawn = agent, drawn
        self.state: Any = None
        """Of the core, before the next step; None before the first."""

    def __call__(self, games: Games, generator: np.random.Generator) -> np.ndarray:
        """Return the actions; where an episode has just begun, the state begins anew."""
        probabilities, _ = self.think(games)
        return self.choose(probabilities, generator)

    @torch.no_grad()
    def think(self, games: Games) -> tuple[np.ndarray, np.ndarray]:
        """Go on by a step; return the probabilities of the actions (B, A), and the values (B,)."""
        if self.state is None:
            self.state = self.agent.core.initial_state(games.batch_size)
        seen, resets = look(games, self.agent.device)
        logits, values, self.state = self.agent(add_time(seen), self.state, resets[None])
        return logits[0].softmax(-1).cpu().numpy(), values[0].cpu().numpy()

    def choose(self, probabilities: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return an action for each game from its probabilities (B, A)."""
        if not self.drawn:
            return np.asarray(probabilities.argmax(-1))
        upper = probabilities.cumsum(-1)
        drawn = generator.random((len(upper), 1)) * upper[:, -1:]
        return np.asarray((upper <= drawn).sum(-1).clip(max=upper.shape[-1] - 1))


def look(games: Games, device: torch.device) -> tuple[Any, Tensor]:
    """Return what is seen, (B, ...) or a dict of such, and which episodes have just begun, (B,) bool.

    Example:
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> games = CueRecall(cues=3, delay=1).batch(2)
        >>> _ = games.reset(seed=0)
        >>> seen, resets = look(games, torch.device("cpu"))
        >>> seen.shape, resets
        (torch.Size([2, 4]), tensor([True, True]))
    """
    seen = _map(lambda part: part.to(device), as_tensors(games.observe()))
    return seen, torch.from_numpy(games.frames == 0).to(device)


def as_tensors(observations: Any) -> Any:
    """Return observations, an array or a dict of arrays, as tensors.

    Example:
        >>> as_tensors({"view": np.zeros((2, 5)), "score": np.zeros((2, 1))})["view"].shape
        torch.Size([2, 5])
    """
    return _map(torch.from_numpy, observations)


def _map(function: Callable[[Any], Any], parts: Any) -> Any:
    return (
        {name: function(part) for name, part in parts.items()} if isinstance(parts, dict) else function(parts)
    )


def add_time(seen: Any) -> Any:
    """Return what is seen at one step as a sequence of one: (B, ...) -> (1, B, ...).

    Example:
        >>> add_time(torch.zeros(2, 5)).shape
        torch.Size([1, 2, 5])
    """
    return _map(lambda part: part[None], seen)


def _stack(steps: tuple[Any, ...]) -> Any:
    if isinstance(steps[0], dict):
        return {name: torch.stack([step[name] for step in steps]) for name in steps[0]}
    return torch.stack(steps)


def _batch_axes(core: Core) -> Any:
    """Return which axis of each tensor of a core's state has the games: the one that grows with them."""

    def axis(two: Any, three: Any) -> Any:
        if isinstance(two, tuple):
            return tuple(axis(*pair) for pair in zip(two, three))
        return next(at for at, sizes in enumerate(zip(two.shape, three.shape)) if sizes[0] != sizes[1])

    return axis(core.initial_state(2), core.initial_state(3))


def _rows(state: Any, axes: Any, rows: Tensor) -> Any:
    """Return the state of some of the games."""
    if isinstance(state, tuple):
        return tuple(_rows(*pair, rows) for pair in zip(state, axes))
    return state.index_select(axes, rows)
