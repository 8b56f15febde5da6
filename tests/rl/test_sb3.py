"""The policy for sb3-contrib: its contract with RecurrentPPO, and that an agent with it learns."""

import gymnasium
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sb3_contrib")

from sb3_contrib import RecurrentPPO  # noqa: E402
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy  # noqa: E402
from stable_baselines3.common.env_util import make_vec_env  # noqa: E402
from stable_baselines3.common.vec_env import SubprocVecEnv, VecNormalize  # noqa: E402

from relational_rnn.nn import RelationalMemory  # noqa: E402
from relational_rnn.rl import GameEnv  # noqa: E402
from relational_rnn.rl.environments import observation_space  # noqa: E402
from relational_rnn.rl.sb3 import RelationalRecurrentPolicy, ZeroStart  # noqa: E402
from relational_rnn.tasks.cue_recall import CueRecall  # noqa: E402

pytestmark = pytest.mark.torch

SIZES = {"mem_slots": 3, "head_size": 4, "num_heads": 2}


class CueEnv(gymnasium.Env):
    """Cue recall as an environment."""

    def __init__(self, delay=2):
        self.games = CueRecall(delay=delay).batch(1)
        self.observation_space = observation_space(self.games.task)
        self.action_space = gymnasium.spaces.Discrete(4)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.games.reset(int(self.np_random.integers(2**40)))[0], {}

    def step(self, action):
        outcome = self.games.step(np.array([action]))
        return self.games.observe()[0], float(outcome.rewards[0]), bool(outcome.terminated[0]), False, {}


def agent_of(env, **settings):
    return RecurrentPPO(
        RelationalRecurrentPolicy,
        env,
        seed=0,
        **{"policy_kwargs": SIZES, "n_steps": 8, "batch_size": 16} | settings,
    )


def test_sequences_with_episodes_that_begin_within_are_those_of_sb3_step_by_step():
    """Which restarts an episode by multiplying the state with 0."""
    torch.manual_seed(0)
    core = RelationalMemory(5, **SIZES)
    lstm_like = ZeroStart(core)
    features, states = torch.randn(4 * 6, 5), (torch.randn(1, 4, 24), torch.zeros(1, 4, 24))
    starts = (torch.rand(4 * 6) < 0.4).float()
    own = RelationalRecurrentPolicy._process_sequence(features, states, starts, lstm_like)
    theirs = RecurrentActorCriticPolicy._process_sequence(features, states, starts, lstm_like)
    torch.testing.assert_close(own[0], theirs[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(own[1], theirs[1], atol=1e-5, rtol=1e-5)
    outputs, _ = lstm_like(features[:6, None], (torch.zeros(1, 1, 24), torch.zeros(1, 1, 24)))
    torch.testing.assert_close(outputs, core(features[:6, None], core.initial_state(1))[0])


def test_it_learns_saves_loads_and_predicts_with_dict_observations(tmp_path):
    """Box-World's viewport, with normalised rewards."""
    env = VecNormalize(
        make_vec_env("relational_rnn/BoxWorldViewport-v0", 2, env_kwargs={"frame_cap": 5}), norm_obs=False
    )
    agent = agent_of(env).learn(32)
    agent.save(tmp_path / "agent.zip")
    again = RecurrentPPO.load(tmp_path / "agent.zip")
    agent.policy.save(tmp_path / "policy.pt")
    policy = RelationalRecurrentPolicy.load(tmp_path / "policy.pt", device="cpu")
    states, starts, seen = [None] * 3, np.ones(2, bool), env.reset()
    for _ in range(7):
        actions = []
        for number, player in enumerate((agent, again, policy)):
            chosen, states[number] = player.predict(seen, states[number], starts, deterministic=True)
            actions.append(chosen)
        np.testing.assert_array_equal(actions[0], actions[1])
        np.testing.assert_array_equal(actions[0], actions[2])
        np.testing.assert_array_equal(states[0][0], states[1][0])
        seen, _, starts, _ = env.step(actions[0])


def test_wrong_use():
    with pytest.raises(
        ValueError, match="lstm_hidden_size, n_lstm_layers are of an LSTM; an RMC has mem_slots"
    ):
        agent_of(CueEnv(), policy_kwargs={"lstm_hidden_size": 8, "n_lstm_layers": 1})
    with pytest.raises(ValueError, match="initial_memory must be one of 'identity', 'random', 'zeros'"):
        agent_of(CueEnv(), policy_kwargs={"core_kwargs": {"initial_memory": "trainable"}})
    with pytest.raises(ValueError, match="read_head must be 'flatten'"):
        agent_of(CueEnv(), policy_kwargs={"core_kwargs": {"read_head": "mean"}})


@pytest.mark.slow
def test_environments_in_processes_of_their_own():
    env = make_vec_env(GameEnv, 2, env_kwargs={"game": "cue-recall"}, vec_env_cls=SubprocVecEnv)
    try:
        agent = agent_of(env).learn(32)
        actions, _ = agent.predict(env.reset(), episode_start=np.ones(2, bool))
        assert actions.shape == (2,)
    finally:
        env.close()


@pytest.mark.slow
def test_an_agent_learns_to_remember():
    env = make_vec_env(CueEnv, 16, seed=0)
    settings = {"n_steps": 32, "batch_size": 128, "learning_rate": 3e-3, "n_epochs": 4, "ent_coef": 0.01}
    sizes = {"mem_slots": 4, "head_size": 8, "num_heads": 2}
    agent = agent_of(env, policy_kwargs=sizes, **settings).learn(80_000)
    returns = [episode["r"] for episode in agent.ep_info_buffer]
    assert np.mean(returns) > 0.9  # chance is a quarter
