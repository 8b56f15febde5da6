from dataclasses import replace

import numpy as np
import pytest

from relational_rnn.tasks.babi import examples as babi
from relational_rnn.tasks.babi.task import Babi, StoryExamples, read

TASK = Babi(tasks=(1, 18), synthetic=True)


def test_sizes_follow_from_the_stories():
    found = read(TASK)
    assert TASK.input_size == len(found.vocabulary.words)
    assert TASK.classes == len(found.vocabulary.answers)
    assert TASK.chance == 1 / TASK.classes < TASK.majority < 1
    assert set(found.test.tasks) == {1, 18}


def test_examples_are_padded_as_far_as_needed():
    found = read(TASK)
    examples = StoryExamples(found.test, found.vocabulary)
    assert len(examples.inputs) == len(found.test.lengths) == len(examples.kinds)
    some = np.array([5, 2, 1700])
    inputs, targets, mask = (part[some] for part in examples[:3])
    longest = found.test.lengths[some].max()
    assert inputs.shape == (3, longest, TASK.input_size)
    assert targets.shape == mask.shape == (3, longest)
    assert np.array_equal(inputs[..., 1:].sum((1, 2)), found.test.lengths[some])  # the first is padding
    chosen = examples.select(some)
    for whole, part in zip((inputs, targets, mask), chosen[:3], strict=True):
        assert np.array_equal(part[:], whole)
    assert [examples.kinds[number] for number in some] == chosen.kinds == ["task 1", "task 1", "task 18"]


def test_by_length_is_another_order_of_the_same():
    found = read(TASK)
    examples = StoryExamples(found.test, found.vocabulary)
    ordered = examples.by_length()
    assert (np.diff(ordered.lengths) >= 0).all()
    assert sorted(examples.lengths) == list(ordered.lengths)
    assert examples.mask[:].sum() == ordered.mask[:].sum()


def test_a_sentence_a_step():
    task = replace(TASK, reading="sentences")
    found = read(task)
    examples = StoryExamples(found.test, found.vocabulary, "sentences")
    some = np.array([5, 1700])
    inputs, targets, mask = (part[some] for part in examples[:3])
    size = len(found.vocabulary.words)
    assert task.input_size == inputs.shape[2] == 2 * size
    rows = found.test.rows(some)
    for row in range(len(some)):
        step, place = 0, 0
        expected, answers = np.zeros_like(inputs[row]), np.full(inputs.shape[1], -1)
        for word, target, asked in zip(rows.ids[row, : rows.lengths[row]], rows.targets[row], rows.mask[row]):
            expected[step, word] += 1
            expected[step, size + word] += np.float32(place / 5 - 1)
            answers[step] = target if asked else -1
            ends = found.vocabulary.words[word] in (".", "?")
            step, place = (step + 1, 0) if ends else (step, place + 1)
        np.testing.assert_allclose(inputs[row], expected, atol=1e-6)
        assert np.array_equal(mask[row], answers >= 0)
        assert np.array_equal(targets[row][mask[row]], answers[answers >= 0])
    assert np.array_equal(examples.select(some).inputs[:], inputs)


def test_sentences_are_the_stories_that_words_are():
    in_words, in_sentences = TASK, replace(TASK, reading="sentences")
    words, sentences = (babi.sample(task, 4, np.random.default_rng(3)) for task in (in_words, in_sentences))
    assert sentences.inputs.shape[1] < words.inputs.shape[1]
    for task, batch in ((in_words, words), (in_sentences, sentences)):
        assert np.array_equal(babi.oracle(task, batch.inputs), batch.targets)
    for example in range(4):
        record = babi.as_record(in_sentences, sentences, example)
        assert record == babi.as_record(in_words, words, example)
        assert record["story"].count(" ?") == len(record["answer"])
    with pytest.raises(ValueError, match=r"inputs\[0\] is no story of the test"):
        babi.oracle(in_sentences, sentences.inputs[:, 1:])


@pytest.mark.parametrize("reading", ["words", "sentences"])
def test_pauses_come_after_each_question(reading):
    at_once, later = (
        babi.sample(replace(TASK, reading=reading, pauses=pauses), 3, np.random.default_rng(0))
        for pauses in (0, 2)
    )
    for row in range(3):
        asked, told = np.flatnonzero(at_once.mask[row]), np.flatnonzero(later.mask[row])
        assert np.array_equal(told, asked + 2 * np.arange(1, len(asked) + 1))
        assert np.array_equal(at_once.targets[row, asked], later.targets[row, told])
        assert later.lengths[row] == at_once.lengths[row] + 2 * len(asked)
        kept = np.ones(later.lengths[row], dtype=bool)
        kept[np.concatenate([told, told - 1])] = False
        assert np.array_equal(later.inputs[row, : len(kept)][kept], at_once.inputs[row, : kept.sum()])
        pause = later.inputs[row, told]
        assert np.array_equal(pause.nonzero()[1], [0] * len(told) if reading == "words" else [])
    task = replace(TASK, reading=reading, pauses=2)
    with_pauses, without = (StoryExamples(read(one).test, read(one).vocabulary) for one in (task, TASK))
    assert np.array_equal(with_pauses.words_told(), without.lengths)
    assert np.array_equal(babi.oracle(task, later.inputs), later.targets)
    assert "<pad>" not in babi.as_record(task, later, 0)["story"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": ()}, "tasks must name each task once"),
        ({"tasks": (1, 1)}, "tasks must name each task once"),
        ({"tasks": (21,)}, "tasks must be from 1 to 20, got 21"),
        ({"variant": "de"}, "variant must be one of 'en'"),
        ({"reading": "letters"}, "reading must be one of 'words', 'sentences', got 'letters'"),
        ({"pauses": -1}, "pauses must be an integer of at least 0, got -1"),
    ],
)
def test_bad_sizes(options, message):
    with pytest.raises(ValueError, match=message):
        Babi(**options)


def test_no_stories(tmp_path):
    with pytest.raises(ValueError, match="no bAbI files"):
        read(Babi(data_dir=str(tmp_path)))
    with pytest.raises(ValueError, match="no synthetic stories of task 4"):
        read(Babi(tasks=(4,), synthetic=True))
