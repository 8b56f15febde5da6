"""Concentration: what is shown and rewarded, equal to POPGym's records and, where installed, its code."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relational_rnn.tasks.concentration import PLAYERS, Concentration
from relational_rnn.tasks.episodes import play_episodes

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "popgym_concentration.json").read_text())
LEVELS = {
    "Easy": Concentration(),
    "Medium": Concentration(cards=104),
    "Hard": Concentration(kinds=13),
}


@settings(max_examples=15)
@given(
    size=st.sampled_from([(4, 2), (8, 2), (12, 3), (26, 13), (28, 2)]),
    batch_size=st.integers(1, 3),
    skill=st.floats(0, 1),
    seed=st.integers(0, 2**40),
)
def test_rewards_follow_from_the_cards_and_the_choices(size, batch_size, skill, seed):
    """The rules once more, for one game and with sets, played by a mixture of both players."""
    cards, kinds = size
    games = Concentration(cards=cards, kinds=kinds).batch(batch_size)
    games.reset(seed)
    assert (np.sort(games.faces) == np.repeat(np.arange(kinds), cards // kinds)).all()
    generator = np.random.default_rng(seed)
    paired, tries = [set() for _ in range(batch_size)], [[] for _ in range(batch_size)]
    for step in range(2 * cards):
        clever = generator.random(batch_size) < skill
        actions = np.where(clever, *(PLAYERS[name](games, generator) for name in ("scripted", "random")))
        outcome = games.step(actions)
        seen = games.observe()
        for game, card in enumerate(actions.tolist()):
            if len(paired[game]) == cards:
                assert outcome.rewards[game] == 0
                assert outcome.terminated[game]
                continue
            tried = [*tries[game], card]
            shown = paired[game] | set(tried)
            reward = 0.0
            if card in paired[game]:
                reward = -len(tried) / (2 * cards)
            elif len(tried) == 2:
                alike = len({games.faces[game, one] for one in tried}) == 1 and len(set(tried)) == 2
                reward = 2 / cards if alike else -2 / (2 * cards)
                paired[game] |= set(tried) if alike else set()
            tries[game] = [] if reward else tried
            assert outcome.rewards[game] == pytest.approx(reward)
            assert outcome.terminated[game] == (len(paired[game]) == cards)
            assert outcome.truncated[game] == (step == 2 * cards - 1 and not outcome.terminated[game])
            faces = seen[game, : cards * kinds].reshape(cards, kinds)
            assert set(np.flatnonzero(faces.any(1)).tolist()) == shown
            assert all(faces[one].argmax() == games.faces[game, one] for one in shown)
            assert np.flatnonzero(seen[game, cards * kinds :]).tolist() == [card]
    assert not games.step(actions).rewards.any(), "all are over"


def test_what_players_get():
    for task, random, scripted in zip(LEVELS.values(), (-0.19, -0.19, -0.83), (0.7, 0.7, 0.1)):
        played = play_episodes(task, PLAYERS["scripted"], 50, seed=0)
        assert not played.truncated.any(), "who forgets none turns all"
        assert (played.events["pairs"] == task.cards // 2).all()
        assert played.returns.min() > scripted
        np.testing.assert_allclose(played.returns, 1 - played.events["wasted"] / (2 * task.cards))
        assert play_episodes(task, PLAYERS["random"], 200, seed=0).returns.mean() == pytest.approx(
            random, abs=0.05
        )


def test_cards_are_fixed_by_the_seed_whatever_the_batch():
    games, alone = Concentration().batch(20), Concentration().batch(1)
    games.reset(0)
    alone.reset(17)
    for _ in range(3):
        np.testing.assert_array_equal(alone.faces[0], games.faces[17])
        alone.restart(np.array([True]))
        games.restart(np.ones(20, bool))


def test_the_table_as_text_and_picture():
    games = Concentration(cards=28, kinds=2).batch(1)
    games.reset(0)
    games.faces[0] = [1, 0] * 14
    games.step([0])
    games.step([27])
    assert games.text(0).splitlines() == [
        "step 2, 0 of 28 face up",
        "   1  2  3  4  5  6  7  8  9 10",
        "A  b  .  .  .  .  .  .  .  .  .",
        "B  .  .  .  .  .  .  .  .  .  .",
        "C  .  .  .  .  .  .  .  a",
    ]
    assert games.actions[27] == "C8"
    picture = games.picture(0)
    assert picture.shape == (3, 10, 3)
    assert picture[2, 8:].max() == 0, "no card lies there"
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 4


def test_sizes_out_of_range():
    with pytest.raises(ValueError, match=r"cards must be a multiple of 26, .* the 13 kinds .*; got 50"):
        Concentration(cards=50, kinds=13)
    with pytest.raises(ValueError, match="kinds must be an integer of at least 2, got 1"):
        Concentration(kinds=1)
    with pytest.raises(RuntimeError, match="call reset"):
        Concentration().batch(1).step([0])
    with pytest.raises(RuntimeError, match="call reset"):
        Concentration().batch(1).restart(np.ones(1, bool))


def assert_shows(games, seen):
    """Compare what is shown with POPGym's observation, in which the last kind is the back."""
    task = games.task
    shown = games.observe()[0, : task.cards * task.kinds].reshape(task.cards, task.kinds)
    np.testing.assert_array_equal(shown, np.eye(task.kinds + 1)[np.asarray(seen)][:, : task.kinds])


@pytest.mark.parametrize("record", GOLDEN["levels"], ids=lambda record: record["level"])
def test_popgyms_recorded_episodes(record):
    task = LEVELS[record["level"]]
    games = task.batch(1)
    games.reset(0)

    def kinds(text):
        return [task.kinds if card == "." else int(card, 13) for card in text]

    games.faces[0] = kinds(record["cards"])
    assert_shows(games, kinds(record["first"]))
    for action, reward, terminated, truncated, seen in record["steps"]:
        outcome = games.step([action])
        assert outcome.rewards[0] == pytest.approx(reward)
        assert outcome.terminated[0] == terminated
        assert outcome.truncated[0] == (truncated and not terminated)
        assert_shows(games, kinds(seen))


@pytest.mark.parametrize("level", LEVELS)
def test_it_is_popgyms_game(level):
    envs = pytest.importorskip("popgym.envs")
    env, task = getattr(envs, f"Concentration{level}")(), LEVELS[level]
    games, generator = task.batch(1), np.random.default_rng(0)
    assert env.episode_length == task.frame_cap
    for episode, skill in enumerate((0, 0.5, 1)):
        seen, _ = env.reset(seed=episode)
        games.reset(0)
        games.faces[0] = env.state
        over = False
        while not over:
            assert_shows(games, seen)
            action = int(PLAYERS["scripted" if generator.random() < skill else "random"](games, generator)[0])
            seen, reward, ended, stopped, _ = env.step(action)
            outcome = games.step([action])
            assert outcome.rewards[0] == pytest.approx(reward)
            assert outcome.terminated[0] == ended
            over = ended or stopped
            assert (outcome.terminated | outcome.truncated)[0] == over
