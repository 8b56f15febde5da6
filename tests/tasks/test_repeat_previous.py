"""Repeat previous: what is shown and rewarded, equal to POPGym's where that is installed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relational_rnn.tasks.episodes import play_episodes
from relational_rnn.tasks.repeat_previous import DECK, PLAYERS, RepeatPrevious


@settings(max_examples=10)
@given(
    decks=st.integers(1, 2), k=st.integers(1, 51), batch_size=st.integers(1, 3), seed=st.integers(0, 2**40)
)
def test_the_suit_k_cards_before_is_rewarded(decks, k, batch_size, seed):
    task = RepeatPrevious(decks=decks, k=k)
    games = task.batch(batch_size)
    seen = [games.reset(seed).argmax(1)]
    generator = np.random.default_rng(seed)
    for step in range(DECK * decks - 1):
        actions = generator.integers(4, size=batch_size)
        outcome = games.step(actions)
        expected = np.zeros(batch_size)
        if step + 1 >= k:
            expected = np.where(actions == seen[step + 1 - k], 1, -1) / (DECK * decks - k)
        np.testing.assert_allclose(outcome.rewards, expected)
        assert (outcome.terminated == (step == DECK * decks - 2)).all()
        seen.append(games.observe().argmax(1))
    assert not games.step(actions).rewards.any(), "it is over"
    assert (np.sort(games.suits) == np.repeat(np.arange(4), 13 * decks)).all()


def test_what_players_get():
    task = RepeatPrevious(decks=2, k=32)
    scripted = play_episodes(task, PLAYERS["scripted"], 20, seed=0)
    np.testing.assert_allclose(scripted.returns, 1)
    assert scripted.events["right"].tolist() == [DECK * 2 - 32] * 20
    assert play_episodes(task, PLAYERS["random"], 500, seed=0).returns.mean() == pytest.approx(-0.5, abs=0.02)


def test_cards_are_fixed_by_the_seed_whatever_the_batch():
    games, alone = RepeatPrevious().batch(20), RepeatPrevious().batch(1)
    games.reset(0)
    alone.reset(17)
    for _ in range(3):
        np.testing.assert_array_equal(alone.suits[0], games.suits[17])
        alone.restart(np.array([True]))
        games.restart(np.ones(20, bool))


def test_sizes_out_of_range():
    with pytest.raises(ValueError, match="k must be an integer of at most 51, got 52"):
        RepeatPrevious(k=52)
    with pytest.raises(RuntimeError, match="call reset"):
        RepeatPrevious().batch(1).step([0])


def test_it_is_popgyms_game():
    envs = pytest.importorskip("popgym.envs")
    for kind, task in (
        (envs.RepeatPreviousEasy, RepeatPrevious()),
        (envs.RepeatPreviousMedium, RepeatPrevious(decks=2, k=32)),
        (envs.RepeatPreviousHard, RepeatPrevious(decks=3, k=64)),
    ):
        env, games, generator = kind(), task.batch(1), np.random.default_rng(0)
        seen, _ = env.reset(seed=1)
        games.reset(0)
        cards, over, steps = [seen], False, []
        while not over:
            action = int(generator.integers(4))
            seen, reward, over, _, _ = env.step(action)
            cards.append(seen)
            steps.append((action, reward, over))
        games.suits[0] = cards
        for action, reward, over in steps:
            outcome = games.step([action])
            assert outcome.rewards[0] == pytest.approx(reward)
            assert outcome.terminated[0] == over
