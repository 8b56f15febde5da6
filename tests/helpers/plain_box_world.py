"""Box-World once more: one game in plain Python, and a search through all that can happen in a level."""

from collections import deque

EMPTY, WALL, GEM, KEY, LOCK = 0, 1, 2, 3, 23
WAYS = [(-1, 0), (1, 0), (0, -1), (0, 1)]


def after(cells, distractors, player, held, action):
    """Return the state after a step: cells (a dict without empty ones), player, held, reward, ended."""
    target = player[0] + WAYS[action][0], player[1] + WAYS[action][1]
    thing = cells.get(target, EMPTY)
    without = {cell: other for cell, other in cells.items() if cell != target}
    if thing == EMPTY:
        return cells, target, held, 0, False
    if thing >= LOCK and thing - LOCK == held:
        wrong = target in distractors
        return without, target, None, -1 if wrong else 1, wrong
    if GEM <= thing < LOCK and cells.get((target[0], target[1] + 1), EMPTY) < LOCK:
        return without, target, held if thing == GEM else thing - KEY, 10 if thing == GEM else 0, thing == GEM
    return cells, player, held, 0, False


def begin(level):
    """Return cells, distractors and player of a level, as `after` takes them."""
    size = range(len(level.cells))
    cells = {(row, column): int(level.cells[row, column]) for row in size for column in size}
    distractors = {(row, column) for row in size for column in size if level.distractors[row, column]}
    return {cell: thing for cell, thing in cells.items() if thing != EMPTY}, distractors, level.player


def fewest_steps(level):
    """Return in how many steps the gem can be had, by a search through all states; None if it cannot."""
    cells, distractors, player = begin(level)
    things = {frozenset(cells): cells}
    first = (player, None, frozenset(cells))
    steps, waiting = {first: 0}, deque([first])
    while waiting:
        state = waiting.popleft()
        player, held, there = state
        for action in range(4):
            left, at, key, reward, ended = after(things[there], distractors, player, held, action)
            if reward == 10:
                return steps[state] + 1
            new = (at, key, there if left is things[there] else frozenset(left))
            if not ended and new not in steps:
                things.setdefault(new[2], left)
                steps[new] = steps[state] + 1
                waiting.append(new)
    return None
