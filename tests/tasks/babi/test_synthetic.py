"""Synthetic stories: answers and facts by other readers, the same for the same seed, no easy majority."""

import numpy as np
import pytest

from relational_rnn.tasks.babi import encode, majority_scores
from relational_rnn.tasks.babi.synthetic import synthetic
from relational_rnn.tasks.babi_words import read_story

DATA = synthetic(train=300, validation=20, test=100)


def of_task(*tasks):
    return [(story, story.questions[0]) for story in DATA.train if story.task in tasks]


def test_splits():
    assert [len(split) for split in (DATA.train, DATA.validation, DATA.test)] == [7 * 300, 7 * 20, 7 * 100]
    assert [story.task for story in DATA.validation[::20]] == [1, 2, 3, 7, 8, 17, 18]
    for story in DATA.train:
        (question,) = story.questions
        assert question.after == len(story.statements)
        assert set(question.facts) <= set(range(1, question.after + 1))
    assert len(encode(DATA.train, DATA.vocabulary).lengths) == 7 * 300


def test_same_seed_same_stories_whatever_the_rest():
    again = synthetic([17, 3], train=300, validation=20, test=5)
    assert again.train == tuple(story for task in (17, 3) for story in DATA.train if story.task == task)
    assert synthetic([17], train=300, seed=1).train != synthetic([17], train=300).train
    assert not set(DATA.train) & set(DATA.test)


@pytest.mark.parametrize("task", [1, 2, 3])
def test_supporting_facts(task):
    for story, question in of_task(task):
        assert len(question.facts) == task
        assert read_story([*sum(story.statements, ()), *question.words]) == question.answer


def carried_by(person, statements):
    """Return what a person carries in the end, in the order of taking: each thing's last move says it."""
    last = {}
    for number, (who, did, thing, *_) in enumerate(statements):
        if did != "went":
            last[thing] = (number, who, did)
    taken = sorted((*move, thing) for thing, move in last.items() if move[1:] == (person, "took"))
    return [thing for *_, thing in taken]


def test_counting_and_lists():
    counts = set()
    for story, question in of_task(7, 8):
        person = question.words[4] if story.task == 7 else question.words[2]
        things = carried_by(person, story.statements)
        if story.task == 7:
            assert question.answer == ("none", "one", "two", "three")[len(things)]
        else:
            assert question.answer == (",".join(things) or "nothing")
        handled = [n for n, s in enumerate(story.statements, 1) if s[0] == person and s[1] != "went"]
        assert list(question.facts) == handled
        counts.add(len(things))
    assert counts == {0, 1, 2, 3}


def test_things_are_taken_where_they_are():
    for story, _ in of_task(7, 8):
        at, lies, holder = {}, {}, {}
        for who, did, *rest in story.statements:
            if did == "went":
                assert at.get(who) != rest[1]
                at[who] = rest[1]
            elif did == "took":
                assert rest[0] not in holder
                assert lies.get(rest[0], at[who]) == at[who]
                holder[rest[0]] = who
            else:
                assert holder.pop(rest[0]) == who
                lies[rest[0]] = at[who]


UNITS = {"above": 1j, "below": -1j, "to the left of": -1, "to the right of": 1}


def relation(words):
    """Split `the A is above the B` into (A, above, B)."""
    text = " ".join(words)
    (name,) = [name for name in UNITS if f" {name} the " in text]
    first, second = text.split(f" {name} the ")
    return first, name, second.removesuffix(" ?").removesuffix(" .")


def test_positions():
    """Places as complex numbers, found by going along the facts until the two things are joined."""
    answers = []
    for story, question in of_task(17):
        assert len(question.facts) > 1
        told = [relation(story.statements[fact - 1]) for fact in question.facts]
        links = [(a.removeprefix("the ").removesuffix(" is"), UNITS[name], b) for a, name, b in told]
        asked, name, other = relation(question.words)
        at = {other: 0}
        while asked.removeprefix("is the ") not in at:
            for a, unit, b in links:
                if b in at:
                    at[a] = at[b] + unit
                elif a in at:
                    at[b] = at[a] - unit
        away = at[asked.removeprefix("is the ")]
        assert away != 0
        assert question.answer == ("yes" if (away * UNITS[name].conjugate()).real > 0 else "no")
        answers.append(question.answer)
    assert 0.4 < answers.count("yes") / len(answers) < 0.6


def test_comparison():
    """A is older than B where the facts lead from A to B."""
    kinds = set()
    for story, question in of_task(18):
        younger_than = {}
        for number, (a, _, than, _, b, _) in enumerate(story.statements, 1):
            if number in question.facts:
                older, younger = (a, b) if than == "older" else (b, a)
                younger_than[older] = younger
        oldest = (set(younger_than) - set(younger_than.values())).pop()
        ages = [oldest]
        while ages[-1] in younger_than:
            ages.append(younger_than[ages[-1]])
        assert len(ages) == len(question.facts) + 1
        match question.words:
            case ("who", "is", "the", most, "?"):
                assert len(ages) == 5
                assert question.answer == ages[0 if most == "oldest" else -1]
                kinds.add(most)
            case ("is", a, than, "than", b, "?"):
                assert {a, b} == {ages[0], ages[-1]}
                assert len(ages) > 2
                assert question.answer == ("yes" if (ages[0] == a) == (than == "older") else "no")
                kinds.add((than, question.answer))
    assert len(kinds) == 6


def test_no_answer_is_right_most_of_the_time():
    assert min(majority_scores(DATA.train, DATA.test).errors.values()) > 0.4
    assert np.unique([story.task for story in DATA.test]).tolist() == [1, 2, 3, 7, 8, 17, 18]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"tasks": [1, 4]}, ValueError, "no synthetic stories of task 4, only of 1, 2, 3, 7, 8, 17, 18"),
        ({"train": 0}, ValueError, "train must be an integer of at least 1, got 0"),
        ({"test": 1.5}, TypeError, "test must be an integer of at least 1, got 1.5"),
        ({"seed": -1}, ValueError, "seed must be an integer of at least 0, got -1"),
    ],
)
def test_wrong_use(arguments, error, message):
    with pytest.raises(error, match=message):
        synthetic(**{"tasks": [1], "train": 1, "validation": 1, "test": 1} | arguments)
