"""The games as Gymnasium environments: clean by its own checker, seeded, and alike alone and in a batch."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env, data_equivalence  # noqa: E402
from gymnasium.vector import AutoresetMode, SyncVectorEnv  # noqa: E402

import relational_rnn.rl  # noqa: E402
from relational_rnn.rl import GameEnv, GameVectorEnv, environments  # noqa: E402
from relational_rnn.tasks.game_registry import GAMES, TRAINABLE  # noqa: E402

IDS = sorted(name for name in gymnasium.registry if name.startswith("relational_rnn/"))
OF_MEMORY = [name for name in TRAINABLE if name not in GAMES]
SHORT = {"mini-pacman": {"frame_cap": 12}, "box-world": {"frame_cap": 9}}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(environments, "FRAMES_A_SECOND", 1e6)


def test_every_game_is_registered_with_both_views():
    names = [
        f"relational_rnn/{game.environment}{view}-v0" for game in GAMES.values() for view in ("", "Viewport")
    ]
    assert sorted(names) == IDS
    assert relational_rnn.rl.__all__ == ["GameEnv", "GameVectorEnv"]


@pytest.mark.parametrize("name", IDS)
def test_the_checker_finds_nothing(name, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(name).unwrapped)
    assert "step 0" in capsys.readouterr().out  # of the mode "human"


@pytest.mark.parametrize("name", IDS)
def test_the_checker_finds_nothing_in_other_settings(name):
    settings = {"mode": "hunt", "observation": "planes"} if "Pac" in name else {"path_lengths": (2,)}
    check_env(gymnasium.make(name, **settings).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("name", IDS)
def test_a_seed_fixes_all_that_follows(name):
    one, other = gymnasium.make(name), gymnasium.make(name)
    for env in (one, other):
        env.action_space.seed(0)
    assert data_equivalence(one.reset(seed=5), other.reset(seed=5), exact=True)
    for _ in range(200):
        action = one.action_space.sample()
        stepped = one.step(action)
        assert data_equivalence(stepped, other.step(action), exact=True)
        if stepped[2] or stepped[3]:
            assert data_equivalence(one.reset(), other.reset(), exact=True)
    assert not data_equivalence(one.reset(seed=6), other.reset(seed=7), exact=True)


@pytest.mark.parametrize("game", OF_MEMORY)
def test_the_checker_finds_nothing_in_games_of_memory(game):
    check_env(GameEnv(game), skip_render_check=True)


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize(
    ("game", "settings"),
    [
        *((game, {"view": view, **SHORT[game]}) for game in GAMES for view in ("full", "viewport")),
        ("cue-recall", {"delay": 1}),
        ("concentration", {"cards": 4}),
    ],
)
def test_the_vector_equals_single_ones(game, settings, mode):
    ours = GameVectorEnv(game, 4, autoreset_mode=mode, **settings)
    theirs = SyncVectorEnv([lambda: GameEnv(game, **settings)] * 4, autoreset_mode=mode)
    for space in ("observation_space", "action_space", "single_observation_space", "single_action_space"):
        assert getattr(ours, space) == getattr(theirs, space)
    assert ours.metadata["autoreset_mode"] is theirs.metadata["autoreset_mode"] is mode
    assert data_equivalence(ours.reset(seed=3), theirs.reset(seed=3), exact=True)
    generator, finals = np.random.default_rng(0), 0
    for _ in range(60):
        actions = generator.integers(len(ours.games.actions), size=4)
        stepped, expected = ours.step(actions), theirs.step(actions)
        assert all(space.contains(seen) for space, seen in [(ours.observation_space, stepped[0])])
        assert all(
            data_equivalence(mine, other, exact=True) for mine, other in zip(stepped[:4], expected[:4])
        )
        assert stepped[4].keys() == expected[4].keys()
        for name, array in expected[4].items():
            if name == "final_obs":
                assert data_equivalence([*stepped[4][name]], [*array])
            else:
                assert data_equivalence(stepped[4][name], array)
        over = stepped[2] | stepped[3]
        finals += int(over.sum())
        if mode is AutoresetMode.DISABLED and over.any():
            with pytest.raises(RuntimeError, match="reset the games that are over"):
                ours.step(actions)
            seed = int(generator.integers(9))
            again = [env.reset(seed=seed, options={"reset_mask": over.copy()}) for env in (ours, theirs)]
            assert data_equivalence(*again, exact=True)
    assert finals > 8


def test_a_game_of_a_vector_is_the_game_of_its_seed():
    envs, env = gymnasium.make_vec("relational_rnn/MiniPacMan-v0", num_envs=5, mode="rush"), None
    assert isinstance(envs, GameVectorEnv)
    assert envs.games.task.mode == "rush"
    env = gymnasium.make("relational_rnn/MiniPacMan-v0", mode="rush")
    assert np.array_equal(envs.reset(seed=2)[0][3], env.reset(seed=5)[0])
    assert np.array_equal(envs.reset(seed=[9, 9, 9, 5, 1])[0][3], env.reset(seed=5)[0])
    for _ in range(30):
        observations, rewards, *_ = envs.step(np.full(5, 1))
        observation, reward, over, *_ = env.step(1)
        assert np.array_equal(observations[3], observation)
        assert rewards[3] == reward
        if over:
            break


def test_without_a_seed_games_differ():
    env = gymnasium.make("relational_rnn/BoxWorld-v0")
    assert not np.array_equal(env.reset()[0], env.reset()[0])
    assert not np.array_equal(env.reset()[0], gymnasium.make("relational_rnn/BoxWorld-v0").reset()[0])
    assert not np.array_equal(*GameVectorEnv("mini-pacman", 2).reset()[0])


def test_pictures_and_text():
    env = gymnasium.make("relational_rnn/MiniPacManViewport-v0", render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert (picture.shape, picture.dtype) == ((15 * 16, 19 * 16, 3), np.uint8)
    assert np.array_equal(picture[8::16, 8::16], env.unwrapped.games.picture(0))
    env = gymnasium.make("relational_rnn/BoxWorld-v0", render_mode="ansi")
    env.reset(seed=0)
    assert env.render() == env.unwrapped.games.text(0)
    assert GameEnv("box-world").render() is None
    for mode, kind in (("ansi", str), ("rgb_array", np.ndarray), (None, None)):
        envs = gymnasium.make_vec("relational_rnn/BoxWorld-v0", num_envs=3, render_mode=mode)
        envs.reset(seed=0)
        frames = envs.render()
        assert frames is None if kind is None else [type(frame) for frame in frames] == [kind] * 3


def test_human_means_the_terminal(capsys, monkeypatch):
    env = GameEnv("box-world", render_mode="human")
    env.reset(seed=0)
    env.step(0)
    assert env.render() is None
    printed = capsys.readouterr().out
    assert printed.index("key none  step 0") < printed.index("key none  step 1")
    assert "\x1b" not in printed
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    env.reset(seed=0)
    env.step(0)
    assert "\x1b[15F\x1b[J" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GameEnv("pacman"), r"there is no game 'pacman'.*; known games: mini-pacman, box-world"),
        (
            lambda: GameEnv("box_world", mode="hunt"),
            "box-world has no setting mode; it has size, path_lengths",
        ),
        (lambda: GameEnv("mini-pacman", viev="full"), r"no setting viev \(did you mean view\?\)"),
        (lambda: GameEnv("mini-pacman", render_mode="rgb"), "render_mode must be one of .* got 'rgb'"),
        (lambda: GameVectorEnv("mini-pacman", 2, render_mode="human"), "render_mode must be one of"),
        (lambda: GameVectorEnv("mini-pacman", 2, autoreset_mode="Never"), "autoreset_mode must be one of"),
        (lambda: GameVectorEnv("mini-pacman", 0), "batch_size must be an integer of at least 1"),
        (lambda: GameVectorEnv("mini-pacman", 2).reset(seed=[1]), "seed must be an integer or 2 of them"),
        (lambda: GameEnv("mini-pacman").reset(seed=2**63), "seed must be .*at most"),
    ],
)
def test_wrong_use(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_steps_come_after_a_reset():
    with pytest.raises(RuntimeError, match="reset"):
        GameEnv("mini-pacman").step(0)
    envs = GameVectorEnv("box-world", 2)
    envs.reset(options={"reset_mask": np.array([True, False])}, seed=0)
    with pytest.raises(RuntimeError, match="call reset before the first step"):
        envs.step([0, 0])
    envs.reset()
    envs.step([0, 0])


def test_without_gymnasium_the_import_says_what_to_install():
    code = """
        import sys
        sys.modules["gymnasium"] = None
        from relational_rnn.tasks.game_registry import GAMES
        GAMES["mini-pacman"].make().batch(1).reset(0)
        import relational_rnn.rl
    """
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(line.strip() for line in code.splitlines())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    told = "relational_rnn.rl needs gymnasium, which the extra rl brings: pip install 'relational-rnn[rl]'"
    assert done.stderr.strip().endswith(told)
