"""Synthetic stories for seven of the tasks, where the files cannot be had: one question each, at the end.

    1, 2, 3    one, two and three supporting facts: the stories of `babi_synthetic`
    7, 8       counting and lists: who walks, takes and drops things; how many, or which, does somebody carry?
    17         positions: things are placed beside each other; is one above another that it was not placed by?
    18         comparison: A is older than B, B older than C; who is the oldest, is A older than C?

Vocabulary and sentences are smaller than those of the files, so scores on them are not scores on bAbI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np

from relational_rnn.config.checks import check_seed, check_size
from relational_rnn.tasks.babi.data import BabiData
from relational_rnn.tasks.babi.stories import Question, Story, words_of
from relational_rnn.tasks.babi_synthetic import BabiSynthetic, as_record, sample
from relational_rnn.tasks.babi_words import OBJECTS, PEOPLE, PLACES

DIRECTIONS = {"above": (0, 1), "below": (0, -1), "to the left of": (-1, 0), "to the right of": (1, 0)}
"""What a thing is of another -> how many columns and rows away it is."""
COLOURS = ("red", "blue", "yellow", "pink")
SHAPES = ("square", "triangle", "sphere", "rectangle")
NUMBERS = ("none", "one", "two", "three")

_SENTENCES, _PEOPLE, _PLACES = 10, 3, 4  # of tasks 7 and 8
_OBJECTS = OBJECTS[:3]  # few, as every list of them is an answer
_THINGS = 4  # of task 17
_COMPARED = 5  # people of task 18

T = TypeVar("T")


def synthetic(
    tasks: Iterable[int] | None = None,
    *,
    train: int = 900,
    validation: int = 100,
    test: int = 1_000,
    seed: int = 0,
) -> BabiData:
    r"""Make stories in splits, as `load` reads them.

    Args:
        tasks: numbers out of 1, 2, 3, 7, 8, 17 and 18; None for all of them.
        train: stories of each task in that split, at least 1; so are `validation` and `test`.
        seed: at least 0; the same seed gives the same stories, whatever the other tasks and splits.

    Raises:
        TypeError: a number is no integer.
        ValueError: a number out of range, or a task without synthetic stories.

    Example:
        >>> data = synthetic([18], train=2, validation=1, test=1)
        >>> [len(split) for split in (data.train, data.validation, data.test)]
        [2, 1, 1]
        >>> print(*(" ".join(words) for words in data.test[0].statements), sep="\n")
        fred is younger than julie .
        emma is older than bill .
        bill is older than john .
        julie is younger than john .
        >>> " ".join(data.test[0].questions[0].words), data.test[0].questions[0].answer
        ('who is the youngest ?', 'fred')
    """
    tasks = tuple(STORIES) if tasks is None else tuple(tasks)
    seed = check_seed("seed", seed)
    splits: list[tuple[Story, ...]] = []
    counts = {"train": train, "validation": validation, "test": test}
    for number, (split, count) in enumerate(counts.items()):
        check_size(split, count)
        stories: list[Story] = []
        for task in tasks:
            if task not in STORIES:
                known = ", ".join(map(str, STORIES))
                raise ValueError(f"there are no synthetic stories of task {task}, only of {known}")
            generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(task, number)))
            stories += STORIES[task](task, count, generator)
        splits.append(tuple(stories))
    return BabiData(train=splits[0], validation=splits[1], test=splits[2])


def _story(task: int, statements: Sequence[str], question: str, answer: str, facts: Iterable[int]) -> Story:
    """Return a story with one question at its end."""
    told = tuple(words_of(statement) for statement in statements)
    return Story(task, told, (Question(words_of(question), answer, tuple(facts), len(told)),))


def _supporting_facts(task: int, count: int, generator: np.random.Generator) -> list[Story]:
    """Make stories with `task` supporting facts."""
    sizes = BabiSynthetic(supporting_facts=(task,))
    batch = sample(sizes, count, generator)
    return [
        _story(task, record["story"], record["question"], record["answer"], record["supporting_facts"])
        for record in (as_record(sizes, batch, example) for example in range(count))
    ]


def _carrying(task: int, count: int, generator: np.random.Generator) -> list[Story]:
    """Make stories of people who carry things; somebody is asked for who has taken one."""
    stories: list[Story] = []
    while len(stories) < count:
        people = _some(PEOPLE, _PEOPLE, generator)
        places = _some(PLACES, _PLACES, generator)
        told: list[str] = []
        at: dict[str, str] = {}  # person -> place
        lies: dict[str, str] = {}  # object -> the place where it was dropped
        carried: dict[str, list[str]] = {person: [] for person in people}
        handled: dict[str, list[int]] = {person: [] for person in people}  # numbers of the statements
        while len(told) < _SENTENCES:
            held = [(person, thing) for person in people for thing in carried[person]]
            free = set(_OBJECTS).difference(*carried.values())
            near = [
                (who, thing)
                for who in at
                for thing in _OBJECTS
                if thing in free and lies.get(thing, at[who]) == at[who]
            ]
            draw = generator.random()
            if near and draw < 0.5:
                who, thing = _one(near, generator)
                carried[who].append(thing)
                told.append(f"{who} took {thing}.")
            elif held and draw > 0.8:
                who, thing = _one(held, generator)
                carried[who].remove(thing)
                lies[thing] = at[who]
                told.append(f"{who} dropped {thing}.")
            else:
                who = _one(people, generator)
                at[who] = _one([place for place in places if place != at.get(who)], generator)
                told.append(f"{who} went to {at[who]}.")
                continue
            handled[who].append(len(told))
        asked = [person for person in people if handled[person]]
        if asked:
            who = _one(asked, generator)
            question = f"how many objects is {who} carrying?" if task == 7 else f"what is {who} carrying?"
            answer = NUMBERS[len(carried[who])] if task == 7 else ",".join(carried[who]) or "nothing"
            stories.append(_story(task, told, question, answer, handled[who]))
    return stories


def _positions(task: int, count: int, generator: np.random.Generator) -> list[Story]:
    """Make stories of things that are placed one by one beside another; no two are at the same place."""
    stories = []
    for _ in range(count):
        things = _some([f"{colour} {shape}" for colour in COLOURS for shape in SHAPES], _THINGS, generator)
        at = {things[0]: (0, 0)}
        chain: dict[str, list[int]] = {things[0]: []}  # the statements from the first thing to each
        told: list[str] = []
        for thing in things[1:]:
            choices = [
                (other, name, (at[other][0] + x, at[other][1] + y))
                for other in at
                for name, (x, y) in DIRECTIONS.items()
                if (at[other][0] + x, at[other][1] + y) not in at.values()
            ]
            other, name, at[thing] = _one(choices, generator)
            told.append(f"the {thing} is {name} the {other}.")
            chain[thing] = [*chain[other], len(told)]
        pairs = [
            (a, b, facts)
            for a in things
            for b in things
            if len(facts := sorted(set(chain[a]) ^ set(chain[b]))) > 1
        ]
        a, b, facts = _one(pairs, generator)
        away = np.subtract(at[a], at[b])
        answer = _one(("yes", "no"), generator)
        fitting = [name for name, unit in DIRECTIONS.items() if (away @ unit > 0) == (answer == "yes")]
        stories.append(_story(task, told, f"is the {a} {_one(fitting, generator)} the {b}?", answer, facts))
    return stories


def _comparison(task: int, count: int, generator: np.random.Generator) -> list[Story]:
    """Make stories that compare people of neighbouring ages; those asked for are not compared directly."""
    stories = []
    for _ in range(count):
        people = _some(PEOPLE, _COMPARED, generator)  # the oldest first
        order = generator.permutation(_COMPARED - 1).tolist()
        pairs = list(pairwise(people))
        told = [
            f"{a} is older than {b}." if generator.random() < 0.5 else f"{b} is younger than {a}."
            for a, b in (pairs[place] for place in order)
        ]
        number_of = {place: number for number, place in enumerate(order, start=1)}
        if generator.random() < 0.5:
            most, answer = _one((("oldest", people[0]), ("youngest", people[-1])), generator)
            question, between = f"who is the {most}?", range(_COMPARED - 1)
        else:
            older, younger = _one(
                [(i, j) for i in range(_COMPARED) for j in range(i + 2, _COMPARED)], generator
            )
            answer = _one(("yes", "no"), generator)
            named = (older, younger) if generator.random() < 0.5 else (younger, older)
            than = "older" if (named[0] == older) == (answer == "yes") else "younger"
            question = f"is {people[named[0]]} {than} than {people[named[1]]}?"
            between = range(older, younger)
        stories.append(_story(task, told, question, answer, sorted(number_of[place] for place in between)))
    return stories


STORIES: dict[int, Callable[[int, int, np.random.Generator], list[Story]]] = {
    1: _supporting_facts,
    2: _supporting_facts,
    3: _supporting_facts,
    7: _carrying,
    8: _carrying,
    17: _positions,
    18: _comparison,
}
"""Task -> (task, count, generator) -> stories."""


def _some(names: Sequence[str], count: int, generator: np.random.Generator) -> list[str]:
    """Draw `count` different names, in random order."""
    return [names[number] for number in generator.permutation(len(names))[:count].tolist()]


def _one(choices: Sequence[T], generator: np.random.Generator) -> T:
    """Draw one of some choices."""
    return choices[int(generator.integers(len(choices)))]
