"""Recurrent PPO: the update sees what was played, and estimates follow their definitions.

That it learns: the snippet of docs/reinforcement_learning.md and tests/examples/test_recurrent_ppo.py.
"""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("gymnasium")

from relational_rnn.nn import GRU, LSTM, RelationalMemory  # noqa: E402
from relational_rnn.rl import ppo  # noqa: E402
from relational_rnn.rl.ppo import PPO, Agent, AgentPlayer, estimate_advantages, play, train  # noqa: E402
from relational_rnn.tasks.box_world import BoxWorld  # noqa: E402
from relational_rnn.tasks.box_world.players import PLAYERS as BOX_WORLD_PLAYERS  # noqa: E402
from relational_rnn.tasks.cue_recall import CueRecall  # noqa: E402
from relational_rnn.tasks.mini_pacman import MiniPacman  # noqa: E402

pytestmark = pytest.mark.torch

CORES = {
    "rmc": lambda size: RelationalMemory(size, mem_slots=3, head_size=4, num_heads=2),
    "rmc, trainable start": lambda size: RelationalMemory(
        size, mem_slots=3, head_size=4, num_heads=2, initial_memory="trainable"
    ),
    "lstm": lambda size: LSTM(size, 12),
    "lstm of two layers": lambda size: LSTM(size, 12, num_layers=2),
    "gru": lambda size: GRU(size, 12),
}
GAMES = {
    "vector": CueRecall(delay=1),
    "dict": BoxWorld(view="viewport", frame_cap=5),
    "picture": MiniPacman(view="viewport", frame_cap=7),
}


def begin(task, core="rmc", batch_size=6, seed=0):
    torch.manual_seed(seed)
    games = task.batch(batch_size)
    games.reset(seed)
    return games, Agent(games, CORES[core], width=8)


def rollouts(games, agent, config, count):
    """Play some rollouts without learning; return the last, and the returns of episodes that ended in it."""
    state, scores, generator = (
        agent.core.initial_state(games.batch_size),
        np.zeros(games.batch_size),
        torch.Generator().manual_seed(0),
    )
    for _ in range(count):
        rollout, state, ended = play(games, agent, state, scores, config, generator)
    return rollout, ended


@pytest.mark.parametrize(
    ("task", "core"), [*(("vector", core) for core in CORES), ("dict", "rmc"), ("picture", "rmc")]
)
def test_the_first_ratio_of_every_update_is_one(task, core):
    """Episodes begin within the rollout and go on from the one before it."""
    games, agent = begin(GAMES[task], core)
    config = PPO(frames=3 * 16 * 6, minibatches=2, epochs=2, learning_rate=0.05)
    before = [parameter.detach().clone() for parameter in agent.parameters()]
    updates = list(train(games, agent, config))
    assert [round(update.first_ratio, 5) for update in updates] == [0.0] * 3
    assert any(not torch.equal(*pair) for pair in zip(before, agent.parameters()))
    assert all(update.episodes for update in updates)


@pytest.mark.parametrize("core", ["rmc", "lstm", "gru"])
@pytest.mark.parametrize("forgotten", ["resets", "state"])
def test_without_the_resets_or_the_first_state_it_is_not_one(core, forgotten):
    games, agent = begin(CueRecall(delay=4), core)
    torch.nn.init.normal_(agent.policy.weight)
    config = PPO(epochs=1, minibatches=1)
    rollout, _ = rollouts(games, agent, config, 2)
    if forgotten == "resets":
        rollout = rollout._replace(resets=torch.zeros_like(rollout.resets))
    else:
        rollout = rollout._replace(state=agent.core.initial_state(6))
    optimiser = torch.optim.SGD(agent.parameters(), lr=0.0)
    first_ratio, *_ = ppo.update(agent, optimiser, rollout, config, torch.Generator())
    assert first_ratio > 1e-3


def test_a_rollout_is_what_was_played():
    games, agent = begin(CueRecall(delay=1), batch_size=5)
    rollout, ended = rollouts(games, agent, PPO(rollout=12), 1)
    assert rollout.resets.tolist() == [[step % 3 == 0] * 5 for step in range(12)]
    cues = rollout.seen[0::3, :, :-1].argmax(-1)
    right = rollout.actions[2::3] == cues
    assert sum(ended) == right.sum()
    assert len(ended) == 20
    logits, *_ = agent(rollout.seen, rollout.state, rollout.resets)
    expected = torch.distributions.Categorical(logits=logits).log_prob(rollout.actions)
    torch.testing.assert_close(rollout.log_probabilities, expected.detach(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("gae", [0.0, 0.7, 1.0])
def test_advantages_follow_from_their_definition(gae):
    """The sum over all later errors of the same episode, each with its power of discount and lambda."""
    generator = torch.Generator().manual_seed(0)
    rewards, values = torch.randn(2, 9, 4, generator=generator)
    over = (torch.rand(9, 4, generator=generator) < 0.3).float()
    last, discount = torch.randn(4, generator=generator), 0.9
    found = estimate_advantages(rewards, over, values, last, discount, gae)
    following = torch.cat([values[1:], last[None]])
    for start in range(9):
        for game in range(4):
            total = 0.0
            for step in range(start, 9):
                error = rewards[step, game] - values[step, game]
                error += discount * following[step, game] * (1 - over[step, game])
                total += (discount * gae) ** (step - start) * float(error)
                if over[step, game]:
                    break
            assert math.isclose(found[start, game].item(), total, abs_tol=1e-5)


@pytest.mark.parametrize("task", ["cue-recall", "box-world"])
def test_an_episode_that_was_stopped_counts_what_came_next(task):
    """With a value of 2 everywhere: after an end there is nothing more, after the frame cap there is 2."""
    stops = task == "box-world"
    games, agent = begin(BoxWorld(frame_cap=3) if stops else CueRecall(delay=1))
    torch.nn.init.zeros_(agent.critic.weight)
    torch.nn.init.constant_(agent.critic.bias, 2.0)
    rollout, _ = rollouts(games, agent, PPO(rollout=6, gae=0.0, discount=0.5), 1)
    last = rollout.returns[2::3]
    if stops:
        assert last.unique().tolist() == [1.0]
    else:
        assert set(last.flatten().tolist()) <= {0.0, 1.0}
    assert (rollout.returns[0::3] == 1.0).all()


def test_the_same_seed_learns_the_same():
    results = []
    for _ in range(2):
        games, agent = begin(CueRecall(delay=1))
        updates = [update[:2] + update[3:] for update in train(games, agent, PPO(frames=200), 5)]
        results.append((updates, torch.cat([parameter.flatten() for parameter in agent.parameters()])))
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("core", ["rmc", "lstm"])
def test_a_player_forgets_at_the_end_of_an_episode(core):
    games, agent = begin(CueRecall(delay=2), core)
    torch.nn.init.normal_(agent.policy.weight)
    player, generator = AgentPlayer(agent), np.random.default_rng(0)
    for _ in range(3):
        fresh = AgentPlayer(agent)
        for _ in range(4):
            actions = player(games, generator)
            np.testing.assert_array_equal(actions, fresh(games, generator))
            outcome = games.step(actions)
        games.restart(outcome.terminated)


def test_there_are_as_many_minibatches_as_asked_for():
    """Of 6 games in 4 parts: 2, 2, 1, 1, and not three of 2."""
    games, agent = begin(CueRecall(), "gru")
    learner = ppo.Learner(games, agent, PPO(rollout=2, epochs=1, minibatches=4))
    learner.advance()
    assert {int(moments["step"]) for moments in learner.optimiser.state.values()} == {4}


def test_wrong_use():
    games, agent = begin(CueRecall())
    with pytest.raises(ValueError, match="minibatches must be at most the number of games, 6, got 7"):
        next(train(games, agent, PPO(minibatches=7)))
    with pytest.raises(ValueError, match="a minibatch must have at least 2 steps, got 1"):
        next(train(games, agent, PPO(rollout=1, minibatches=6)))
    with pytest.raises(ValueError, match="make it with batch_first=False"):
        Agent(games, lambda size: LSTM(size, 8, batch_first=True))
    with pytest.raises(ValueError, match="frames must be an integer of at least 1, got 0"):
        PPO(frames=0)
    with pytest.raises(ValueError, match="discount must be a finite number from 0 to 1, got"):
        PPO(discount=1.5)
    with pytest.raises(ValueError, match="learning_rate must be a finite number from 0"):
        PPO(learning_rate=-1.0)


@pytest.mark.slow
def test_pictures_of_similar_colours_are_told_apart_soon():
    """A player with full view of Box-World is imitated; of pictures as they are it takes thrice the steps."""
    games, agent = begin(BoxWorld(size=8, path_lengths=(1,), distractors=(0,)), "gru", batch_size=256)
    layer = torch.nn.Linear(64, 4)
    agent.encoders["all"] = ppo._encoder((3, 8, 8), 64)
    optimiser = torch.optim.Adam([*agent.encoders.parameters(), *layer.parameters()], 1e-3)
    generator, right = np.random.default_rng(0), []
    for _ in range(300):
        wanted = torch.from_numpy(BOX_WORLD_PLAYERS["scripted"](games, generator))
        seen, _ = ppo.look(games, agent.device)
        logits = layer(agent.encode(ppo.add_time(seen), (1, 256))[0])
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(logits, wanted).backward()
        optimiser.step()
        right.append((logits.argmax(-1) == wanted).float().mean().item())
        outcome = games.step(np.where(generator.random(256) < 0.5, wanted, generator.integers(4, size=256)))
        games.restart(outcome.terminated | outcome.truncated)
    assert np.mean(right[-20:]) > 0.8
