"""The batch of Mini PacMan: equal to one plain game at a time, and true to its rules."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.plain_pacman import FREE, MAZE, PlainGame
from relational_rnn.tasks.mini_pacman import MODES, MiniPacman, maze
from relational_rnn.tasks.mini_pacman.maze import COLUMNS, NOWHERE
from relational_rnn.tasks.mini_pacman.players import scripted

NAMES = ("food", "pills", "ghosts", "deaths", "levels")


def cells(places):
    return {divmod(int(place), COLUMNS) for place in places if place != NOWHERE}


def cautious(games, generator):
    """Mostly the scripted player's moves: it sees more of a level than random ones do."""
    anything = generator.integers(5, size=games.batch_size)
    return np.where(generator.random(games.batch_size) < 0.1, anything, scripted(games, generator))


def check_equal(plain, games, game):
    assert divmod(int(games.pacman[game]), COLUMNS) == plain.pacman
    assert cells(np.flatnonzero(games.food[game])) == plain.food
    assert games.food_left[game] == len(plain.food)
    assert cells(games.pills[game]) == plain.pills
    assert (games.power[game], games.level[game], games.frames[game]) == (
        plain.power,
        plain.level,
        plain.frames,
    )
    ghosts = [
        None if cell == NOWHERE else [divmod(int(cell), COLUMNS), int(looks)]
        for cell, looks in zip(games.ghosts[game], games.looks[game])
    ]
    assert ghosts[: len(plain.ghosts)] == plain.ghosts
    assert set(ghosts[len(plain.ghosts) :]) <= {None}


@given(
    mode=st.sampled_from(list(MODES)),
    seed=st.integers(0, 2**40),
    batch_size=st.integers(1, 5),
    frame_cap=st.integers(30, 100),
)
def test_it_equals_plain_games_bit_for_bit(mode, seed, batch_size, frame_cap):
    games = MiniPacman(mode=mode, frame_cap=frame_cap).batch(batch_size)
    games.reset(seed)
    plain = [PlainGame(mode, frame_cap, seed + game) for game in range(batch_size)]
    generator = np.random.default_rng(seed)
    for _ in range(120):
        for game, one in enumerate(plain):
            check_equal(one, games, game)
        actions = cautious(games, generator)
        outcome = games.step(actions)
        for game, (one, action) in enumerate(zip(plain, actions)):
            reward, events = one.step(action)
            assert outcome.rewards[game] == reward
            assert {name: outcome.events[name][game] for name in NAMES} == events
            assert outcome.terminated[game] == one.dead
            assert outcome.truncated[game] == (one.over and not one.dead)
        again = (outcome.terminated | outcome.truncated) & (generator.random(batch_size) < 0.5)
        games.restart(again)
        for game in np.flatnonzero(again):
            plain[game].begin()


def test_the_plain_games_went_through_everything():
    """High levels with several ghosts, and every way for a level to end, were among what is compared."""
    reached = {}
    for mode in ("avoid", "hunt", "rush"):
        games = MiniPacman(mode=mode).batch(16)
        games.reset(0)
        generator = np.random.default_rng(0)
        plain = [PlainGame(mode, 3000, seed) for seed in range(16)]
        for _ in range(500):
            actions = cautious(games, generator)
            rewards = games.step(actions).rewards
            assert rewards.tolist() == [one.step(action)[0] for one, action in zip(plain, actions)]
        reached[mode] = int(games.level.max())
        for game, one in enumerate(plain):
            check_equal(one, games, game)
    assert reached["avoid"] >= 2, reached
    assert min(reached["hunt"], reached["rush"]) >= 3, reached


@pytest.mark.parametrize("view", ["full", "viewport"])
def test_observations_equal_the_plain_games(view):
    games = {kind: MiniPacman(view=view, observation=kind).batch(6) for kind in ("rgb", "planes")}
    plain = [PlainGame("regular", 3000, seed) for seed in range(3, 9)]
    seen = {kind: batch.reset(3) for kind, batch in games.items()}
    generator = np.random.default_rng(0)
    powered = 0
    for _ in range(40):
        for game, one in enumerate(plain):
            reach = 2 if view == "viewport" else None
            first = [at - 2 for at in one.pacman] if reach else (0, 0)
            planes, rgb, expected = one.planes(), one.rgb(), np.zeros((6, *seen["planes"].shape[2:]))
            colours = np.zeros((3, *expected.shape[1:]))
            for row, column in np.ndindex(expected.shape[1:]):
                at = row + first[0], column + first[1]
                outside = not (0 <= at[0] < 15 and 0 <= at[1] < 19)
                for plane in range(6):
                    expected[plane, row, column] = outside * (plane == 0) or planes.get((plane, *at), 0)
                colours[:, row, column] = rgb.get(at, (1, 1, 1))
            np.testing.assert_array_equal(seen["planes"][game], expected.astype(np.float32))
            np.testing.assert_array_equal(seen["rgb"][game], colours.astype(np.float32))
            powered += one.power > 0
        actions = cautious(games["rgb"], generator)
        for batch in games.values():
            batch.step(actions)
        seen = {kind: batch.observe() for kind, batch in games.items()}
        for one, action in zip(plain, actions):
            one.step(action)
    assert powered


def test_a_game_does_not_depend_on_its_batch():
    alone = MiniPacman().batch(1)
    among = MiniPacman().batch(7)
    alone.reset(5)
    among.reset([9, 9, 8, 5, 0, 1, 2])
    generator = np.random.default_rng(0)
    for _ in range(300):
        actions = generator.integers(5, size=7)
        outcome, other = alone.step(actions[3:4]), among.step(actions)
        np.testing.assert_array_equal(alone.observe()[0], among.observe()[3])
        assert outcome.rewards[0] == other.rewards[3]
        alone.restart(outcome.terminated)
        among.restart(other.terminated)
    games = MiniPacman().batch(2)
    observations = games.reset([4, 4])
    np.testing.assert_array_equal(observations[0], observations[1])
    assert not np.array_equal(*games.reset([4, 5]))


@given(seed=st.integers(0, 2**62), mode=st.sampled_from(list(MODES)))
def test_the_rules_hold(seed, mode):
    games = MiniPacman(mode=mode).batch(5)
    games.reset(seed)
    generator = np.random.default_rng(seed)
    rewards, mode = np.zeros(5), MODES[mode]
    totals = dict.fromkeys(NAMES, 0)
    for _ in range(120):
        before = games.ghosts.copy(), games.looks.copy(), games.frames.copy()
        outcome = games.step(cautious(games, generator))
        assert not maze.WALLS[games.pacman].any()
        assert not maze.WALLS[games.ghosts][games.ghosts != NOWHERE].any()
        rewards += outcome.rewards
        played = games.frames - before[2]
        events = outcome.events
        for name in NAMES:
            totals[name] = totals[name] + events[name]
        same = (events["levels"] == 0) & (played == 1)
        width = before[0].shape[1]
        for game, ghost in np.ndindex(5, width):
            cell, to = before[0][game, ghost], games.ghosts[game, ghost]
            if same[game] and NOWHERE not in (cell, to) and cell != to:
                looks = games.looks[game, ghost]
                assert to == cell + maze.STEPS[looks]  # one cell, through no wall
                if maze.EXITS[cell].sum() >= 3:
                    assert looks != (before[1][game, ghost] + 2) % 4  # no way back at junctions
                elif maze.EXITS[cell, before[1][game, ghost]]:
                    assert looks == before[1][game, ghost]  # straight on
        step = totals["steps"] = totals.get("steps", 0) + played
        score = mode.step * step + mode.food * totals["food"] + mode.pill * totals["pills"]
        score = score + mode.ghost * totals["ghosts"] + mode.death * totals["deaths"]
        np.testing.assert_allclose(rewards, score, atol=1e-9)
        first = games.level == 1
        assert (games.food_left + totals["food"] == len(FREE))[first].all()
        assert (games.food_left == games.food.sum(1)).all()
        assert ((games.pills != NOWHERE).sum(1) + totals["pills"] == 2)[first].all()
        assert (totals["deaths"] == games.dead).all()


def test_the_maze():
    rows = [
        "".join("#" if maze.WALLS[row * 19 + column] else "." for column in range(19)) for row in range(15)
    ]
    assert rows == MAZE
    assert [int((maze.EXITS.sum(1) == count).sum()) for count in (1, 2, 3, 4)] == [0, 114, 16, 8]
    reached, new = set(), {int(maze.FREE[0])}
    while new:
        reached |= new
        new = {int(maze.MOVES[cell, action]) for cell in new for action in range(5)} - reached
    assert reached == set(maze.FREE.tolist())


def ghost_rate(power, level, steps=60, batch_size=500):
    """How often a ghost moves in a step, when PacMan is far away."""
    games = MiniPacman().batch(batch_size)
    games.reset(0)
    moved = played = 0
    for _ in range(steps):
        games.power[:], games.level[:] = power, level
        before, alive = games.ghosts[:, 0].copy(), ~games.dead
        games.step(np.zeros(batch_size, int))
        alive &= (before != NOWHERE) & (games.ghosts[:, 0] != NOWHERE)
        moved += int((alive & (games.ghosts[:, 0] != before)).sum())
        played += int(alive.sum())
    return moved / played


def test_ghosts_are_faster_at_higher_levels_and_half_as_fast_while_pacman_has_power():
    assert ghost_rate(power=0, level=1) == pytest.approx(0.5, abs=0.02)
    assert ghost_rate(power=9, level=1) == pytest.approx(0.25, abs=0.02)
    assert ghost_rate(power=0, level=2) == pytest.approx(0.6, abs=0.02)
    assert ghost_rate(power=9, level=2) == pytest.approx(0.3, abs=0.02)


def test_one_ghost_in_twenty_strays():
    """At a crossing with three ways to go, where one leads to PacMan."""
    games = MiniPacman().batch(40_000)
    games.reset(0)
    crossing = int(np.flatnonzero(maze.EXITS.sum(1) == 4)[0])
    games.ghosts[:, 0], games.looks[:, 0] = crossing, 1
    games.pacman[:], games.pills[:] = maze.FREE[-1], NOWHERE  # below and right of it
    games.level[:] = 6  # every ghost moves
    games.step(np.zeros(40_000, int))
    turned = np.bincount(games.looks[:, 0], minlength=4) / 40_000
    assert turned[3] == 0  # no way back
    hunts = int(maze.HUNTS[0, crossing, 1, maze.FREE[-1]])
    assert turned[hunts] == pytest.approx(0.95 + 0.05 / 3, abs=0.005)
    assert np.delete(turned, [hunts, 3]) == pytest.approx(0.05 / 3, abs=0.005)


def place(mode, pacman, ghosts, power=0):
    """A level without food or pills nearby, of which only what is given is there."""
    games = MiniPacman(mode=mode).batch(1)
    games.reset(0)
    games.food[:, pacman], games.food_left[:] = False, games.food_left - 1
    games.pacman[:], games.power[:], games.level[:] = pacman, power, 2 * len(ghosts) - 1
    games.ghosts = np.array([ghosts])
    games.looks = np.zeros_like(games.ghosts)
    return games


def test_death_ends_the_turn_of_the_ghosts():
    """In the authors' code a second ghost kills once more, which makes -40."""
    cell = int(maze.FREE[40])
    games = place("hunt", cell, [cell, cell])
    outcome = games.step([0])
    assert (outcome.rewards[0], outcome.events["deaths"][0], outcome.terminated[0]) == (-20, 1, True)
    again = games.step([1])
    assert (again.rewards[0], again.terminated[0], games.frames[0]) == (0, True, 1)


def test_one_ghost_is_eaten_a_turn_and_the_others_wait():
    cell = int(maze.FREE[40])
    games = place("hunt", cell, [cell, cell, int(maze.FREE[-1])], power=9)
    outcome = games.step([0])
    assert outcome.rewards[0] == 10
    assert games.ghosts[0].tolist() == [NOWHERE, cell, maze.FREE[-1]]
    assert games.step([0]).rewards[0] == 10
    assert games.ghosts[0, 2] == maze.FREE[-1]
    assert games.level[0] == 5


def test_whoever_walks_onto_the_other():
    left, right = 3 * COLUMNS + 9, 3 * COLUMNS + 10
    games = place("hunt", left, [right])
    assert games.step([1]).terminated[0], "PacMan walks onto it"
    games = place("hunt", left, [right])
    games.level[:], games.looks[:] = 6, 2
    assert games.step([0]).terminated[0], "it walks onto him"
    assert games.ghosts[0, 0] == left
    games = place("hunt", left, [right + 1])
    games.level[:], games.looks[:] = 6, 2
    assert games.step([1]).terminated[0], "both walk onto one cell"


def test_power_lasts_twenty_steps_and_another_pill_starts_it_anew():
    cell = int(maze.FREE[40])
    games = place("regular", cell, [int(maze.FREE[-1])])
    games.pills[:] = [cell, NOWHERE]
    left = []
    for step in range(30):
        if step == 5:
            games.pills[0, 1] = cell
        games.step([0])
        left.append(int(games.power[0]))
    assert left == [20, 19, 18, 17, 16, *range(20, -1, -1), 0, 0, 0, 0]


def test_without_pills_a_hunt_goes_on_to_its_frame_cap():
    games = MiniPacman(mode="hunt", frame_cap=50).batch(1)
    games.reset(0)
    games.pills[:] = games.ghosts[:] = NOWHERE
    games.ghosts[:] = maze.FREE[-1]
    games.level[:] = -5  # ghosts that never move
    while not games.step([0]).truncated[0]:
        pass
    assert games.frames[0] == 50


def test_a_level_of_avoid_ends_after_128_steps():
    games = MiniPacman(mode="avoid").batch(1)
    games.reset(0)
    games.ghosts[:] = NOWHERE
    levels = [int(games.step([0]).events["levels"][0]) for _ in range(129)]
    assert levels == [*([0] * 127), 1, 0]


def test_pictures_and_text_show_what_the_player_sees():
    full, small = MiniPacman().batch(1), MiniPacman(view="viewport").batch(1)
    full.reset(2)
    small.reset(2)
    rows = full.text(0).splitlines()
    assert rows[0] == "level 1  power 0  step 0"
    assert [re.sub("[^#]", ".", row) for row in rows[1:]] == MAZE
    assert "".join(rows[1:]).count("C") == "".join(rows[1:]).count("M") == 1
    shown = small.text(0).splitlines()[1:]
    row, column = divmod(int(full.pacman[0]), COLUMNS)
    assert shown[row][column] == "C"
    assert {at for at in np.ndindex(15, 19) if shown[at[0]][at[1]] != " "} <= {
        at for at in np.ndindex(15, 19) if abs(at[0] - row) <= 2 and abs(at[1] - column) <= 2
    }
    picture, dimmed = full.picture(0), small.picture(0)
    assert picture.shape == (15, 19, 3)
    assert picture[row, column].tolist() == dimmed[row, column].tolist() == [0, 255, 0]
    assert picture[0, 0].tolist() == [255] * 3
    far = np.abs(np.indices((15, 19)) - np.array([[[row]], [[column]]])).max(0) > 2
    assert (dimmed[far] == picture[far] // 3).all()
    games = place("regular", int(maze.FREE[40]), [int(maze.FREE[-1])], power=9)
    assert games.text(0).count("w") == 1 + games.text(0).splitlines()[0].count("w")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "regul"}, "mode must be one of 'regular', .* got 'regul'"),
        ({"view": "half"}, "view must be one of 'full', 'viewport', got 'half'"),
        ({"observation": "grey"}, "observation must be one of 'rgb', 'planes', got 'grey'"),
        ({"window": 4}, "window must be odd, so that the player is in its centre; got 4"),
        ({"window": 1}, "window must be an integer of at least 3, got 1"),
        ({"frame_cap": 0}, "frame_cap must be an integer of at least 1, got 0"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        MiniPacman(**settings)


def test_wrong_calls():
    games = MiniPacman().batch(2)
    with pytest.raises(RuntimeError, match="call reset before the first step"):
        games.step([0, 0])
    with pytest.raises(ValueError, match="seed must be an integer or 2 of them, one a game; got shape"):
        games.reset([1, 2, 3])
    with pytest.raises(TypeError, match="seed must be an integer"):
        games.reset(1.5)
    with pytest.raises(ValueError, match="at most 9223372036854775805 for 2 games"):
        games.reset(2**63 - 1)
    games.reset(0)
    with pytest.raises(ValueError, match=r"actions must be from 0 to 4 \(stay, .*\), got 5 in game 1"):
        games.step([0, 5])
    with pytest.raises(ValueError, match=r"actions must have shape \(2,\), one a game; got \(3,\)"):
        games.step([0, 1, 2])
    with pytest.raises(TypeError, match="actions must be integers, got an array of dtype float64"):
        games.step([0.0, 1.0])
    with pytest.raises(TypeError, match="which must be booleans"):
        games.restart([0, 1])
    with pytest.raises(ValueError, match=r"which must have shape \(2,\)"):
        games.restart([True])
