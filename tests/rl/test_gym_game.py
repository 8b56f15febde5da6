"""Environments of Gymnasium as games: what agents see and do, and the state that a run goes on from."""

import pickle

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium import spaces  # noqa: E402

from relational_rnn.cli.main import main  # noqa: E402
from relational_rnn.tasks.game_registry import find_trainable  # noqa: E402
from relational_rnn.tasks.games import load_games, save_games  # noqa: E402
from relational_rnn.tasks.gym_game import GymGame, kind_of, random  # noqa: E402

CARTPOLE = "gym:CartPole-v1"


class Grid(gymnasium.Env):
    """Pictures, or a choice and numbers; actions of two parts."""

    def __init__(self, pictures=False):
        if pictures:
            self.observation_space = spaces.Box(0, 255, (4, 5, 3), np.uint8)
        else:
            self.observation_space = spaces.Tuple([spaces.Discrete(3), spaces.Box(-1, 1, (2,))])
        self.action_space = spaces.MultiDiscrete([2, 3])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._look(), {}

    def _look(self):
        if isinstance(self.observation_space, spaces.Box):
            return self.np_random.integers(256, size=(4, 5, 3)).astype(np.uint8)
        return int(self.np_random.integers(3)), self.np_random.uniform(size=2).astype(np.float32)

    def step(self, action):
        return self._look(), 10 * action[0] + action[1], False, False, {}


gymnasium.register("tests/Grid-v0", Grid)
gymnasium.register("tests/Pictures-v0", Grid, kwargs={"pictures": True})


def play(games, steps, generator):
    """Play random steps; return everything that was seen."""
    seen = []
    for _ in range(steps):
        outcome = games.step(random(games, generator))
        seen.append((games.observe(), outcome.rewards, outcome.terminated, outcome.truncated))
        games.restart(outcome.terminated | outcome.truncated)
    return seen


@pytest.mark.parametrize("name", [CARTPOLE, "gym:tests/Grid-v0", "gym:tests/Pictures-v0"])
def test_a_batch_goes_on_from_its_state_as_if_nothing_had_happened(name):
    task = kind_of(name)(frame_cap=90)
    games, again = task.batch(3), task.batch(3)
    games.reset(seed=5)
    play(games, 80, np.random.default_rng(0))  # more than are kept room for at first
    load_games(again, save_games(games))
    assert again.frames.tolist() == games.frames.tolist()
    for one, other in zip(*(play(them, 40, np.random.default_rng(1)) for them in (games, again))):
        for part, same in zip(one, other):
            np.testing.assert_array_equal(part, same)


def test_a_seed_fixes_all_episodes_of_a_game_whatever_batch_it_is_in():
    task = kind_of(CARTPOLE)()
    batch, alone = task.batch(3), task.batch(1)
    np.testing.assert_array_equal(batch.reset(seed=7)[2:], alone.reset(seed=9))
    for step in range(120):
        action = step % 2
        both = [games.step(np.full(games.batch_size, action)) for games in (batch, alone)]
        for games, outcome in zip((batch, alone), both):
            games.restart(outcome.terminated)
        np.testing.assert_array_equal(batch.observe()[2:], alone.observe())
    first = gymnasium.make("CartPole-v1").reset(seed=9)[0]
    np.testing.assert_array_equal(task.batch(1).reset(seed=9)[0], first)


def test_spaces_become_vectors_pictures_and_numbered_actions():
    games = kind_of("gym:tests/Grid-v0")().batch(2)
    seen = games.reset(seed=0)
    assert seen.shape == (2, 5)
    assert seen.dtype == np.float32
    np.testing.assert_array_equal(seen[:, :3].sum(1), 1)  # one-hot
    assert games.actions == ("0 0", "0 1", "0 2", "1 0", "1 1", "1 2")
    assert games.step([1, 5]).rewards.tolist() == [1.0, 12.0]
    assert games.picture(0).shape == (1, 5, 3)
    pictures = kind_of("gym:tests/Pictures-v0")().batch(2)
    seen = pictures.reset(seed=0)
    assert seen.shape == (2, 3, 4, 5)
    assert 0.5 < seen.max() <= 1
    np.testing.assert_array_equal(pictures.picture(1), np.rint(255 * seen[1]).transpose(1, 2, 0))


def test_a_game_that_is_over_waits_and_the_frame_cap_is_a_truncation():
    games = kind_of("gym:tests/Grid-v0")(frame_cap=2).batch(2)
    games.reset(seed=0)
    games.step([5, 5])
    outcome = games.step([5, 5])
    assert outcome.truncated.tolist() == [True, True]
    assert not outcome.terminated.any()
    outcome = games.step([5, 5])
    assert outcome.rewards.tolist() == [0, 0]
    assert games.frames.tolist() == [2, 2]
    games.restart(np.array([True, False]))
    assert games.step([5, 5]).rewards.tolist() == [12, 0]


def test_settings_go_to_other_processes():
    task = find_trainable(CARTPOLE).make(frame_cap=30)
    again = pickle.loads(pickle.dumps(task))
    assert again == task
    assert again.name == CARTPOLE
    assert isinstance(again, GymGame)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train gym:CartPol-v1", "Gymnasium has no environment 'CartPol-v1': "),
        ("train gym:", "Gymnasium has no environment ''"),
        ("train gim:CartPole-v1", "concentration, gym:ID, popgym:NAME"),
        ("train gym:CartPole-v1 --frame-cap 0", "frame_cap must be"),
        ("train gym:CartPole-v1 --preset slow", "for gym:CartPole-v1; known presets: quick, tiny"),
        ("compare gym:CartPole-v1", "their agents are trained by relational-rnn train gym:CartPole-v1"),
    ],
)
def test_wrong_names(words, told, capsys):
    assert main(words.split()) == 2
    assert told in capsys.readouterr().err


def test_continuous_actions_are_refused():
    with pytest.raises(ValueError, match="must be Discrete or MultiDiscrete, got Box"):
        kind_of("gym:Pendulum-v1")().batch(1)


def test_environments_of_popgym(capsys):
    pytest.importorskip("popgym")
    games = kind_of("popgym:RepeatPreviousEasy")().batch(2)
    assert games.reset(seed=0).shape == (2, 4)
    assert len(games.actions) == 4
    assert main(["train", "popgym:RepeatPrevius"]) == 2
    assert "POPGym has no environment 'RepeatPrevius' (did you mean RepeatPrevious" in capsys.readouterr().err
