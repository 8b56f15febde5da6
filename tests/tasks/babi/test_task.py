import numpy as np
import pytest

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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": ()}, "tasks must name each task once"),
        ({"tasks": (1, 1)}, "tasks must name each task once"),
        ({"tasks": (21,)}, "tasks must be from 1 to 20, got 21"),
        ({"variant": "de"}, "variant must be one of 'en'"),
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
