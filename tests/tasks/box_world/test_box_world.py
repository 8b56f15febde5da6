"""Box-World: levels that can be solved, a batch equal to one plain game at a time, and what players see."""

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.plain_box_world import after, begin, fewest_steps
from relational_rnn.tasks.box_world import BoxWorld
from relational_rnn.tasks.box_world import level as levels
from relational_rnn.tasks.box_world.level import EMPTY, GEM, KEY, LOCK, draw_level
from relational_rnn.tasks.box_world.players import PLAYERS, scripted

sizes = st.fixed_dictionaries(
    {"size": st.integers(11, 16), "path_lengths": st.integers(1, 4), "distractors": st.integers(0, 3)}
).map(
    lambda drawn: BoxWorld(
        size=drawn["size"], path_lengths=(drawn["path_lengths"],), distractors=(drawn["distractors"],)
    )
)


def solved_by_script(task, level):
    """Play one level with the scripted player; return the steps and the return."""
    games = task.batch(1)
    games.reset(0)
    games.cells[0], games.distractors[0] = level.cells.ravel(), level.distractors.ravel()
    games.player[0] = level.player[0] * task.size + level.player[1]
    total = 0.0
    while True:
        outcome = games.step(scripted(games, np.random.default_rng(0)))
        total += outcome.rewards[0]
        if outcome.terminated[0] or outcome.truncated[0]:
            return int(games.frames[0]), total


@given(task=sizes, seed=st.integers(0, 2**32))
def test_every_level_can_be_solved_and_the_script_takes_the_fewest_steps(task, seed):
    level = draw_level(task, np.random.default_rng(seed))
    fewest = fewest_steps(level)
    assert fewest is not None
    if fewest <= task.frame_cap:
        assert solved_by_script(task, level) == (fewest, 10 + task.path_lengths[0])


@given(task=sizes, seed=st.integers(0, 2**32))
def test_a_level_is_a_path_with_distractors(task, seed):
    level = draw_level(task, np.random.default_rng(seed))
    cells, (length,), (wrong,) = level.cells, task.path_lengths, task.distractors
    locks = np.argwhere(cells >= LOCK)
    boxes = {(int(row), int(column)): int(cells[row, column]) - LOCK for row, column in locks}
    assert len(boxes) == length + wrong
    assert level.distractors.sum() == wrong
    inside = {at: int(cells[at[0], at[1] - 1]) for at in boxes}
    loose = [at for at in np.argwhere((cells >= KEY) & (cells < LOCK)) if cells[at[0], at[1] + 1] < LOCK]
    assert len(loose) == 1
    colour, path = int(cells[tuple(loose[0])]) - KEY, []
    while True:
        (box,) = [at for at in boxes if boxes[at] == colour and not level.distractors[at]]
        path.append(colour)
        if inside[box] == GEM:
            break
        colour = inside[box] - KEY
    assert len(path) == len(set(path)) == length
    for at in boxes:
        if level.distractors[at]:
            assert boxes[at] in path
            assert inside[at] - KEY not in path
    for row, column in [*locks - [0, 1], *loose]:
        width = 2 if (row, column + 1) in boxes else 1
        around = cells[row - 1 : row + 2, column - 1 : column + width + 1].copy()
        around[1, 1 : width + 1] = EMPTY
        assert (around == EMPTY).all()
    assert cells[level.player] == EMPTY


@given(
    seed=st.integers(0, 2**40),
    batch_size=st.integers(1, 5),
    length=st.integers(1, 3),
    wrong=st.integers(0, 3),
)
def test_it_equals_plain_games(seed, batch_size, length, wrong):
    task = BoxWorld(path_lengths=(length,), distractors=(wrong,), frame_cap=40)
    games = task.batch(batch_size)
    games.reset(seed)
    streams = [np.random.default_rng(seed + game) for game in range(batch_size)]
    plain = [[*begin(draw_level(task, stream)), None] for stream in streams]
    ended, frames = [False] * batch_size, [0] * batch_size
    generator = np.random.default_rng(seed)
    for _ in range(90):
        anything = generator.integers(4, size=batch_size)
        actions = np.where(generator.random(batch_size) < 0.3, anything, scripted(games, generator))
        outcome = games.step(actions)
        for game, action in enumerate(actions):
            cells, distractors, player, held = plain[game]
            reward = 0
            if not ended[game] and frames[game] < 40:
                frames[game] += 1
                cells, player, held, reward, ended[game] = after(cells, distractors, player, held, action)
                plain[game] = [cells, distractors, player, held]
            assert outcome.rewards[game] == reward
            assert outcome.terminated[game] == ended[game]
            assert divmod(int(games.player[game]), task.size) == player
            assert games.held[game] == (-1 if held is None else held)
            here = {
                divmod(int(at), task.size): int(games.cells[game, at])
                for at in np.flatnonzero(games.cells[game])
            }
            assert here == cells
        assert games.frames.tolist() == frames
        assert (outcome.truncated == ~np.array(ended) & (games.frames == 40)).all()
        again = (outcome.terminated | outcome.truncated) & (generator.random(batch_size) < 0.5)
        games.restart(again)
        for game in np.flatnonzero(again):
            plain[game], ended[game], frames[game] = [*begin(draw_level(task, streams[game])), None], False, 0


def test_rewards_are_what_happened():
    games = BoxWorld().batch(50)
    games.reset(0)
    generator = np.random.default_rng(0)
    totals = {}
    for _ in range(100):
        anything = generator.integers(4, size=50)
        outcome = games.step(np.where(generator.random(50) < 0.2, anything, scripted(games, generator)))
        happened = outcome.events
        expected = happened["boxes"] - happened["distractors"] + 10 * happened["gems"]
        np.testing.assert_array_equal(outcome.rewards, expected)
        assert (outcome.terminated >= (happened["gems"] + happened["distractors"] > 0)).all()
        for name, counts in happened.items():
            totals[name] = totals.get(name, 0) + int(counts.sum())
        games.restart(outcome.terminated | outcome.truncated)
    assert min(totals.values()) > 0, totals


def test_lengths_and_distractors_are_drawn_from_those_named():
    generator = np.random.default_rng(0)
    task = BoxWorld(path_lengths=(2, 4), distractors=(0, 3))
    found = set()
    for _ in range(60):
        level = draw_level(task, generator)
        wrong = int(level.distractors.sum())
        found.add((int((level.cells >= LOCK).sum()) - wrong, wrong))
    assert found == {(2, 0), (2, 3), (4, 0), (4, 3)}


def test_where_boxes_do_not_fit_by_chance_they_are_packed(monkeypatch):
    task = BoxWorld(size=14, path_lengths=(9,), distractors=(5,))  # all 15 places of the lattice
    monkeypatch.setattr(levels, "TRIES", 1)
    for seed in range(5):
        level = draw_level(task, np.random.default_rng(seed))
        assert (level.cells >= LOCK).sum() == 14
        assert fewest_steps(level._replace(distractors=np.zeros_like(level.distractors))) is not None
    with pytest.raises(
        ValueError, match=r"a path of 9, its first key and 6 .* are 16 .* size 14 has room for 15"
    ):
        BoxWorld(size=14, path_lengths=(9,), distractors=(6,))


def test_a_game_does_not_depend_on_its_batch():
    task = BoxWorld(view="viewport", frame_cap=20)
    alone, among = task.batch(1), task.batch(5)
    alone.reset(4)
    among.reset([9, 4, 4, 0, 1])
    generator = np.random.default_rng(0)
    for _ in range(100):
        actions = generator.integers(4, size=5)
        outcome, other = alone.step(actions[1:2]), among.step(actions)
        for name, seen in alone.observe().items():
            np.testing.assert_array_equal(seen[0], among.observe()[name][1])
        assert outcome.rewards[0] == other.rewards[1]
        alone.restart(outcome.terminated | outcome.truncated)
        among.restart(other.terminated | other.truncated)


def test_what_the_player_sees():
    full, small = BoxWorld().batch(3), BoxWorld(view="viewport").batch(3)
    for _ in range(2):
        pictures, parts = full.reset(0), small.reset(0)
        for games in (full, small):
            games.held[:] = [-1, 0, 7]
            games.player[0] = 1 * 14 + 1
        pictures, parts = full.observe(), small.observe()
    padded = np.pad(pictures, ((0, 0), (0, 0), (2, 2), (2, 2)))
    padded[:, :, 2, 2] = 0  # the key that is held is beside the view, not in it
    for game in range(3):
        row, column = divmod(int(full.player[game]), 14)
        np.testing.assert_array_equal(
            parts["view"][game], padded[game, :, row : row + 5, column : column + 5]
        )
        np.testing.assert_array_equal(parts["view"][game, :, 2, 2], np.float32([0.5] * 3))
        np.testing.assert_array_equal(parts["key"][game], pictures[game, :, 0, 0])
        np.testing.assert_allclose(parts["position"][game], [(row - 1) / 11, (column - 1) / 11], rtol=1e-6)
    assert parts["key"][0].tolist() == [0, 0, 0]
    assert len({tuple(colour) for colour in parts["key"].tolist()}) == 3
    locks = np.argwhere(full.cells >= LOCK)
    for game, at in locks:
        colour = full.cells[game, at] - LOCK
        same = np.flatnonzero(full.cells[game] == KEY + colour)
        for key in same:
            np.testing.assert_array_equal(
                pictures[game].reshape(3, -1)[:, at], pictures[game].reshape(3, -1)[:, key]
            )


def test_pictures_and_text():
    full, small = BoxWorld().batch(1), BoxWorld(view="viewport").batch(1)
    full.reset(1)
    small.reset(1)
    full.held[:] = small.held[:] = 2
    head, *rows = full.text(0).splitlines()
    assert head == "key c  step 0"
    assert rows[0] == rows[-1] == "#" * 14
    shown = "".join(rows)
    assert shown.count("@") == shown.count("*") == 1
    assert sum(letter in string.ascii_uppercase for letter in shown) == (full.cells >= LOCK).sum()
    row, column = divmod(int(full.player[0]), 14)
    seen = small.text(0).splitlines()[1:]
    near = np.abs(np.indices((14, 14)) - np.array([[[row]], [[column]]])).max(0) <= 2
    for at in np.ndindex(14, 14):
        assert seen[at[0]][at[1]] == (rows[at[0]][at[1]] if near[at] else " ")
    picture, dimmed = full.picture(0), small.picture(0)
    assert picture.shape == (14, 14, 3)
    assert picture[row, column].tolist() == dimmed[row, column].tolist() == [128] * 3
    near[0, 0] = True
    np.testing.assert_array_equal(dimmed, np.where(near[..., None], picture, picture // 3))


@pytest.mark.parametrize("player", PLAYERS)
def test_players(player):
    games = BoxWorld(path_lengths=(1, 2)).batch(20)
    games.reset(0)
    generator, total = np.random.default_rng(0), np.zeros(20)
    for _ in range(121):
        total += games.step(PLAYERS[player](games, generator)).rewards
    assert (games.frames <= 120).all()
    assert (total >= 11).all() if player == "scripted" else total.mean() < 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 5}, "size must be an integer of at least 6, got 5"),
        ({"path_lengths": (0,)}, "path_lengths must be an integer of at least 1, got 0"),
        ({"path_lengths": ()}, "path_lengths must name at least one number, got none"),
        ({"path_lengths": (20,)}, "path_lengths must be an integer of at most 19, got 20"),
        ({"distractors": (1, -1)}, "distractors must be an integer of at least 0, got -1"),
        ({"size": 8}, "size 8 has room for 2"),
        ({"view": "top"}, "view must be one of 'full', 'viewport', got 'top'"),
        ({"window": 6}, "window must be odd"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        BoxWorld(**settings)


def test_wrong_calls():
    assert BoxWorld(path_lengths=3, distractors=2).path_lengths == (3,)
    games = BoxWorld().batch(2)
    with pytest.raises(RuntimeError, match="call reset before the first step"):
        games.step([0, 0])
    games.reset(0)
    with pytest.raises(
        ValueError, match=r"actions must be from 0 to 3 \(up, down, left, right\), got 4 in game 0"
    ):
        games.step([4, 0])
