"""Cue recall: what is shown when, what is rewarded, and that a game does not depend on its batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relational_rnn.tasks.cue_recall import CueRecall


@given(
    cues=st.integers(2, 6), delay=st.integers(0, 4), batch_size=st.integers(1, 4), seed=st.integers(0, 2**40)
)
def test_it_shows_waits_and_asks(cues, delay, batch_size, seed):
    games = CueRecall(cues=cues, delay=delay).batch(batch_size)
    seen = games.reset(seed)
    generator = np.random.default_rng(seed)
    for _ in range(3):
        cue = seen[:, :-1].argmax(-1)
        for step in range(delay + 2):
            expected = np.zeros((batch_size, cues + 1))
            if step == 0:
                expected[np.arange(batch_size), cue] = 1
            if step == delay + 1:
                expected[:, -1] = 1
            np.testing.assert_array_equal(games.observe(), expected)
            actions = generator.integers(cues, size=batch_size)
            outcome = games.step(actions)
            last = step == delay + 1
            np.testing.assert_array_equal(outcome.rewards, last * (actions == cue))
            np.testing.assert_array_equal(outcome.events["recalled"], outcome.rewards)
            assert (outcome.terminated == last).all()
            assert not outcome.truncated.any()
        assert not games.observe().any()
        assert not games.step(cue).rewards.any(), "it is over"
        games.restart(outcome.terminated)
        seen = games.observe()


def test_cues_are_equally_likely_and_fixed_by_the_seed():
    games, alone = CueRecall().batch(4000), CueRecall().batch(1)
    games.reset(0)
    assert np.bincount(games.cue, minlength=4).min() > 900
    alone.reset(17)
    for _ in range(5):
        assert alone.cue[0] == games.cue[17]
        alone.restart(np.array([True]))
        games.restart(np.ones(4000, bool))


def test_text_and_picture():
    games = CueRecall(cues=3, delay=1).batch(1)
    games.reset(0)
    told = []
    for _ in range(3):
        told.append(games.text(0))
        games.step([0])
    assert told == [f"step 0: cue {games.cue[0]}", "step 1: -", "step 2: which cue was it?"]
    assert games.text(0) == "step 3: over"
    games.reset(0)
    picture = games.picture(0)
    assert picture.shape == (1, 4, 3)
    assert picture[0, :, 0].tolist() == (255 * games.observe()[0]).tolist()


def test_wrong_use():
    with pytest.raises(ValueError, match="cues must be an integer of at least 2, got 1"):
        CueRecall(cues=1)
    with pytest.raises(ValueError, match="delay must be an integer of at least 0, got -1"):
        CueRecall(delay=-1)
    games = CueRecall().batch(2)
    with pytest.raises(RuntimeError, match="call reset before the first step"):
        games.step([0, 0])
    with pytest.raises(RuntimeError, match="call reset before restart"):
        games.restart(np.array([True, False]))
    games.reset(0)
    with pytest.raises(ValueError, match=r"actions must be from 0 to 3 \(cue 0, .*\), got 4 in game 1"):
        games.step([0, 4])
