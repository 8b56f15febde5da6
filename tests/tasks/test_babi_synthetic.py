"""Synthetic stories: format, answers and supporting facts, trivial scores, what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relational_rnn.tasks import babi_synthetic
from relational_rnn.tasks.babi_synthetic import BabiSynthetic, as_text, oracle, records, sample, shortcut
from relational_rnn.tasks.babi_words import OBJECTS, PEOPLE, PLACES, VOCABULARY


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def walk_before(story: list[list[str]], person: str, before: int) -> int:
    """Return the number of the person's last walk before sentence `before`."""
    return max(n for n, s in enumerate(story[: before - 1], 1) if s[0] == person and s[1] == "went")


def handling_before(story: list[list[str]], thing: str, before: int) -> int:
    """Return the number of the last taking or dropping of the object before sentence `before`; 0 for none."""
    return max(
        (n for n, s in enumerate(story[: before - 1], 1) if s[1] != "went" and s[2] == thing), default=0
    )


def by_looking_back(story: list[list[str]], question: list[str]) -> tuple[str, list[int]]:
    """Answer from the end of the story backwards, with the facts; another way than the package's."""
    end = len(story) + 1
    if question[1] == "is" and question[2] in PEOPLE:
        walk = walk_before(story, question[2], end)
        return story[walk - 1][3], [walk]
    thing = question[2]
    if question[1] == "is":
        handling = handling_before(story, thing, end)
        who, what = story[handling - 1][:2]
        walk = walk_before(story, who, end if what == "took" else handling)
        return story[walk - 1][3], sorted([handling, walk])
    for n in range(len(story), 0, -1):
        who, what = story[n - 1][:2]
        handling = handling_before(story, thing, n)
        came = what == "went" and story[n - 1][3] == question[4]
        if came and handling and story[handling - 1][:2] == [who, "took"]:
            walk = walk_before(story, who, n)
            return story[walk - 1][3], sorted([handling, walk, n])
    raise AssertionError("the object never came there")


def in_words(batch: babi_synthetic.StoryBatch, example: int) -> tuple[list[list[str]], list[str]]:
    text = " ".join(VOCABULARY[n] for n in batch.ids[example, : batch.lengths[example]])
    *story, question = text.split(" . ")
    return [sentence.split() for sentence in story], question.split()


STANDARD = BabiSynthetic()


def test_standard_sizes():
    assert STANDARD.people >= 4
    assert STANDARD.places >= 4
    harder = STANDARD.harder()
    assert (harder.people, harder.places, harder.objects, harder.sentences) == (6, 8, 4, 16)
    assert (harder.input_size, harder.classes) == (STANDARD.input_size, STANDARD.classes) == (33, 8)
    assert BabiSynthetic(people=8, places=8, objects=6, sentences=3).harder().sentences == 6


@pytest.mark.parametrize("task", [STANDARD, STANDARD.harder()])
def test_answers_and_facts_are_those_of_another_reader(task):
    batch = sample(task, 400, rng(1))
    kinds = set()
    for example in range(400):
        story, question = in_words(batch, example)
        answer, facts = by_looking_back(story, question)
        assert PLACES[batch.targets[example, batch.lengths[example] - 1]] == answer
        assert batch.facts[example].tolist() == facts + [0] * (3 - len(facts))
        assert len(story) == task.sentences
        kinds.add(len(facts))
    assert kinds == {1, 2, 3}


@given(
    people=st.integers(1, 8),
    places=st.integers(2, 8),
    objects=st.integers(1, 6),
    sentences=st.integers(3, 9),
    kinds=st.sampled_from([(1,), (2,), (3,), (1, 3), (1, 2, 3)]),
    batch_size=st.integers(1, 4),
)
def test_any_size(people, places, objects, sentences, kinds, batch_size):
    task = BabiSynthetic(
        people=people, places=places, objects=objects, sentences=sentences, supporting_facts=kinds
    )
    batch = sample(task, batch_size, rng(people))
    assert batch.inputs.shape == (batch_size, 5 * sentences + 6, 33)
    np.testing.assert_array_equal(batch.inputs, np.eye(33)[batch.ids])
    np.testing.assert_array_equal(oracle(task, batch.inputs), batch.targets)
    for example, length in enumerate(batch.lengths):
        assert (batch.ids[example] != 0).tolist() == [True] * length + [False] * (task.steps - length)
        assert batch.mask[example].nonzero()[0].tolist() == [length - 1]
        assert VOCABULARY[batch.ids[example, length - 1]] == "?"
        words = {VOCABULARY[n] for n in batch.ids[example]}
        assert len(words & set(PEOPLE)) <= people
        assert len(words & set(PLACES)) <= places
        assert len(words & set(OBJECTS)) <= objects
        assert (batch.facts[example] > 0).sum() in kinds


def test_kinds_of_questions_are_equally_frequent():
    count = 9_000
    asked = (sample(STANDARD, count, rng(2)).facts > 0).sum(1)
    share = np.bincount(asked, minlength=4)[1:] / count
    np.testing.assert_allclose(share, 1 / 3, atol=5 * math.sqrt(2 / 9 / count))


@pytest.mark.parametrize("task", [STANDARD, STANDARD.harder(), BabiSynthetic(supporting_facts=(3,))])
def test_every_place_is_the_answer_equally_often(task):
    count = 10_000
    answers = sample(task, count, rng(3)).targets.max(1)
    share = np.bincount(answers, minlength=8) / count
    np.testing.assert_allclose(share, task.majority, atol=5 * math.sqrt(task.majority / count))
    assert (rng(4).integers(8, size=count) == answers).mean() == pytest.approx(task.chance, abs=0.02)


def test_shortcut_tells_the_other_place_named_most_often():
    batch = sample(STANDARD, 200, rng(5))
    told = shortcut(STANDARD, batch.inputs)
    assert not told[~batch.mask].any()
    for example in range(200):
        story, question = in_words(batch, example)
        named = [s[3] for s in story if s[1] == "went" and s[3] not in question]
        assert named.count(PLACES[told[example].max()]) == max(map(named.count, named))


def test_record_and_text():
    for record in records(STANDARD, 5, 0):
        story = [sentence.split() for sentence in record["story"]]
        answer, facts = by_looking_back(story, record["question"].split())
        assert (record["answer"], record["supporting_facts"]) == (answer, facts)
        words = " ".join([*record["story"], record["question"]])
        assert " ".join(VOCABULARY[n] for n in record["ids"]) == words
        marked = [line for line in as_text(record).splitlines() if line.startswith(">")]
        assert [int(line[1:4]) for line in marked] == facts


def spoiled(where: tuple, word: int) -> np.ndarray:
    """Three stories with a word overwritten."""
    ids = sample(STANDARD, 3, rng(6)).ids
    ids[where] = word
    return np.eye(33)[ids]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: BabiSynthetic(people=0), ValueError, "people must be an integer of at least 1, got 0"),
        (lambda: BabiSynthetic(people=9), ValueError, "people must be at most 8, as many as the vocabulary"),
        (lambda: BabiSynthetic(places=1), ValueError, "places must be an integer of at least 2, got 1"),
        (lambda: BabiSynthetic(objects=7), ValueError, "objects must be at most 6"),
        (lambda: BabiSynthetic(sentences=2), ValueError, "sentences must be an integer of at least 3, got 2"),
        (lambda: BabiSynthetic(supporting_facts=(4,)), ValueError, r"a tuple of 1, 2 or 3, got \(4,\)"),
        (lambda: BabiSynthetic(supporting_facts=()), ValueError, r"a tuple of 1, 2 or 3, got \(\)"),
        (lambda: BabiSynthetic(supporting_facts=1), ValueError, "a tuple of 1, 2 or 3, got 1"),
        (lambda: sample(STANDARD, 0, rng()), ValueError, "batch_size must be .* at least 1, got 0"),
        (lambda: sample(STANDARD, 2, 1), TypeError, "generator must be a numpy.random.Generator"),
        (lambda: oracle(STANDARD, np.zeros((3, 46, 32))), ValueError, r"F = 33; got \(3, 46, 32\)"),
        (
            lambda: oracle(STANDARD, np.zeros((3, 46, 33))),
            ValueError,
            r"inputs\[0, 0\] must be one-hot of 33",
        ),
        (
            lambda: oracle(STANDARD, spoiled((1, 4), 0)),
            ValueError,
            r"inputs\[1, 4\] is padding before the last",
        ),
        (
            lambda: oracle(STANDARD, spoiled((1, 1), 1)),
            ValueError,
            r"inputs\[1\] is no story of this task: '",
        ),
    ],
)
def test_wrong_use(call, error, message):
    with pytest.raises(error, match=message):
        call()
