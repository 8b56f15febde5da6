"""Files of stories: what is read, what is refused, and how stories become numbers and scores."""

from pathlib import Path

import numpy as np
import pytest

from relational_rnn.tasks.babi import (
    BabiScores,
    Question,
    Vocabulary,
    encode,
    files_in,
    load,
    majority_scores,
    parse,
    read_file,
    score,
)
from relational_rnn.tasks.babi.data import set_aside
from relational_rnn.tasks.babi_synthetic import BabiSynthetic, as_record, sample
from relational_rnn.tasks.babi_words import PLACES, VOCABULARY

EXCERPT = Path(__file__).parent / "excerpt"
"""A few stories in the form of the files."""

TRAIN = EXCERPT / "qa1_single-supporting-fact_train.txt"


def test_stories_of_a_file():
    first, second, third = read_file(TRAIN, 1)
    assert first.task == 1
    assert first.statements == (
        ("nora", "walked", "to", "the", "library", "."),
        ("otto", "ran", "to", "the", "market", "."),
        ("nora", "ran", "to", "the", "harbour", "."),
    )
    assert first.questions == (
        Question(("where", "is", "otto", "?"), "market", (2,), after=2),
        Question(("where", "is", "nora", "?"), "harbour", (3,), after=3),  # line 4 is the third statement
    )
    assert [len(story.questions) for story in (second, third)] == [1, 1]


def test_facts_keep_their_order_and_lists_are_one_answer():
    (story,) = read_file(EXCERPT / "qa15_train.txt", 15)
    assert story.questions[0].facts == (2, 1)
    first, _ = read_file(EXCERPT / "qa8_lists-sets_train.txt", 8)
    assert [question.answer for question in first.questions] == ["lantern,rope", "rope"]
    assert first.questions[1].facts == (1, 3, 4)


GOOD = "1 Nora ran home."


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "is no number, blank and text"),
        ("Nora ran home.", "is no number, blank and text"),
        ("2", "is no number, blank and text"),
        ("2 ", "is no number, blank and text"),
        ("two Nora ran home.", "is no number, blank and text"),
        ("3 Nora ran out.", "has number 3 instead of 2, or 1 for a new story"),
        ("0 Nora ran out.", "has number 0 instead of 2, or 1 for a new story"),
        ("2 Nora ran out", "ends neither with '.' nor with a question's answer and facts"),
        ("2 Where is Nora?", "ends neither with '.' nor"),
        ("2 Where is Nora?\thome", "must have an answer and facts after the question, each behind a tab"),
        ("2 Where is Nora?\thome\t", "must have an answer and facts"),
        ("2 Where is Nora?\t\t1", "must have an answer and facts"),
        ("2 Where is Nora?\thome\t1\t1", "must have an answer and facts"),
        ("2 Where is Nora\thome\t1", "has an answer, but its text does not end with '?'"),
        ("2 \thome\t1", "has an answer, but its text does not end with '?'"),
        ("2 Where is Nora?\thome\t2", "names the fact '2', which is no statement told before"),
        ("2 Where is Nora?\thome\t1 x", "names the fact 'x', which is no statement told before"),
    ],
)
def test_malformed_lines(tmp_path, line, reason):
    path = tmp_path / "qa1_train.txt"
    path.write_text(f"{GOOD}\n{line}\n2 Where is Nora?\thome\t1\n")
    with pytest.raises(ValueError, match="line 2") as wrong:
        read_file(path, 1)
    assert str(wrong.value).startswith(f"{path} is no file of stories: line 2: {reason}")
    assert str(wrong.value).endswith(f"{line!r}; take it anew from the data set")


def test_a_question_is_no_fact():
    lines = [GOOD, "2 Where is Nora?\thome\t1", "3 Where is Nora?\thome\t2"]
    with pytest.raises(ValueError, match="line 3: names the fact '2'"):
        parse(lines, 1, "example")


def test_a_file_begins_with_a_story_and_asks_something(tmp_path):
    with pytest.raises(ValueError, match="example, line 1: has number 2 instead of 1"):
        parse(["2 Nora ran home."], 1, "example")
    with pytest.raises(ValueError, match="example has no question"):
        parse([GOOD, GOOD], 1, "example")
    path = tmp_path / "qa1_train.txt"
    path.write_bytes(b"1 Nora ran h\xf6me.\n")
    with pytest.raises(ValueError, match=r"qa1_train.txt is no UTF-8 text"):
        read_file(path, 1)


def test_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "qa1_train.txt"
    path.write_bytes(TRAIN.read_bytes().replace(b"\n", b"\r\n"))
    assert read_file(path, 1) == read_file(TRAIN, 1)


def test_data_of_several_tasks():
    data = load(EXCERPT, (1, 8, 15), seed=1)
    assert [story.task for story in data.train] == [1, 1, 8, 15]
    assert [story.task for story in data.validation] == [1, 8, 15]
    assert [story.task for story in data.test] == [1, 8, 15]
    whole = read_file(TRAIN, 1)
    assert sorted(map(str, [*data.train[:2], data.validation[0]])) == sorted(map(str, whole))
    assert data == load(EXCERPT, (1, 8, 15), seed=1)
    assert {load(EXCERPT, [1], seed=seed).validation for seed in range(10)} == {(story,) for story in whole}
    vocabulary = data.vocabulary
    assert vocabulary.words[0] == "<pad>"
    assert {"lantern", "geese", "harbour", "?", "."} <= set(vocabulary.words)
    assert vocabulary.answers == tuple(sorted(vocabulary.answers))
    assert {"rope,lantern", "lantern,rope", "nothing", "bear", "library"} <= set(vocabulary.answers)


def test_data_that_is_not_there():
    with pytest.raises(ValueError, match="excerpt has no train file of task 2; it has those of 1, 8, 15"):
        load(EXCERPT, [1, 2])
    with pytest.raises(ValueError, match="has no train file of task 1; it has those of none"):
        load(EXCERPT.parent, [1])
    with pytest.raises(ValueError, match="takes at least 2 stories, got 1"):
        set_aside(read_file(EXCERPT / "qa15_train.txt", 15), seed=0)


def test_a_tenth_is_set_aside():
    stories = read_file(TRAIN, 1) * 10
    rest, aside = set_aside(stories, seed=3)
    assert (len(rest), len(aside)) == (27, 3)


def words(rows, vocabulary, row):
    return [vocabulary.words[number] for number in rows.ids[row, : rows.lengths[row]]]


def test_a_sequence_of_each_question():
    data = load(EXCERPT, (1, 8, 15))
    stories = read_file(TRAIN, 1)
    encoded = encode(stories, data.vocabulary)
    rows = encoded.rows([1, 0, 3])
    assert rows.ids.shape == (3, 3 * 6 + 4)
    assert rows.lengths.tolist() == [22, 16, 10]
    story = stories[0]
    assert words(rows, data.vocabulary, 0) == [*sum(story.statements, ()), *story.questions[1].words]
    assert words(rows, data.vocabulary, 1) == [*sum(story.statements[:2], ()), *story.questions[0].words]
    assert not rows.ids[1, 16:].any()
    assert rows.mask.sum(1).tolist() == [1, 1, 1]
    assert np.where(rows.mask)[1].tolist() == [21, 15, 9]
    assert [data.vocabulary.answers[n] for n in rows.targets[rows.mask]] == ["harbour", "market", "library"]
    assert not rows.targets[~rows.mask].any()
    assert rows.tasks.tolist() == [1, 1, 1]


def test_a_sequence_of_each_story():
    data = load(EXCERPT, (1, 8, 15))
    story, other, _ = stories = read_file(TRAIN, 1)
    encoded = encode(stories, data.vocabulary, whole=True)
    rows = encoded.rows([1, 0])
    first, second = story.questions
    told = [*sum(story.statements[:2], ()), *first.words, *story.statements[2], *second.words]
    assert words(rows, data.vocabulary, 1) == told
    assert words(rows, data.vocabulary, 0) == [*sum(other.statements, ()), *other.questions[0].words]
    assert np.argwhere(rows.mask).tolist() == [[0, 15], [1, 15], [1, 25]]
    assert [data.vocabulary.answers[n] for n in rows.targets[rows.mask]] == ["market", "market", "harbour"]


def test_synthetic_stories_are_encoded_as_their_own_task_does():
    task = BabiSynthetic()
    batch = sample(task, 40, np.random.default_rng(0))
    stories = []
    for example in range(40):
        record = as_record(task, batch, example)
        lines = [*record["story"], f"{record['question']}\t{record['answer']}\t1"]
        stories += parse([f"{number} {line}" for number, line in enumerate(lines, 1)], 1, "made")
    rows = encode(stories, Vocabulary(VOCABULARY, PLACES)).rows(range(40))
    ours = rows.as_batch(Vocabulary(VOCABULARY, PLACES))
    for theirs, own in zip(batch[:4], ours, strict=True):
        if theirs.ndim > 1:
            theirs = theirs[:, : batch.lengths.max()]
        np.testing.assert_array_equal(own, theirs)
        assert own.dtype == theirs.dtype


def test_what_the_vocabulary_lacks():
    stories = read_file(TRAIN, 1)
    vocabulary = Vocabulary.of(stories)
    with pytest.raises(ValueError, match="'harbour' is not in the vocabulary"):
        encode(stories, vocabulary._replace(words=tuple(w for w in vocabulary.words if w != "harbour")))
    with pytest.raises(ValueError, match="'library' is not in the vocabulary"):
        encode(stories, vocabulary._replace(answers=("market", "harbour")))


def test_scores():
    tasks = np.array([2] * 100 + [1] * 20 + [3] * 4)
    right = np.array([True] * 95 + [False] * 5 + [True] * 18 + [False] * 2 + [True] * 4)
    assert score(tasks, right) == BabiScores({1: 0.1, 2: 0.05, 3: 0.0}, pytest.approx(0.05), (1,))
    with pytest.raises(ValueError, match="must be one task for each answer, got 124 and 123"):
        score(tasks, right[1:])
    with pytest.raises(ValueError, match="must be one task for each answer, got 0 and 0"):
        score(tasks[:0], right[:0])


def test_majority():
    known, asked = read_file(TRAIN, 1), read_file(EXCERPT / "qa1_single-supporting-fact_test.txt", 1)
    assert majority_scores(known, asked) == BabiScores({1: 0.5}, 0.5, (1,))  # market
    other = read_file(EXCERPT / "qa15_test.txt", 15)
    assert majority_scores(known, [*asked, *other]).errors == {1: 0.5, 15: 1.0}


SHARED = [parent / "shared" / "data" / "babi" for parent in Path(__file__).parents]
REAL = [folder for folder in SHARED if files_in(folder / "en")]
needs_real_files = pytest.mark.skipif(not REAL, reason="the real files are not here")


@needs_real_files
@pytest.mark.parametrize("variant", ["en", "en-10k", "en-valid-10k"])
def test_real_files(variant):
    files = files_in(REAL[0] / variant)
    assert files
    for (task, split), path in files.items():
        if variant == "en" or task in (1, 3):
            stories = read_file(path, task)
            questions = [question for story in stories for question in story.questions]
            assert len(questions) == (10_000 if variant == "en-10k" and split == "train" else 1_000)
            assert all(question.facts for question in questions)


@needs_real_files
def test_real_tasks_together():
    data = load(REAL[0] / "en")
    assert (len(data.vocabulary.words), len(data.vocabulary.answers)) == (148, 58)
    encoded = encode(data.test, data.vocabulary)
    assert len(encoded.lengths) == 20_000
    assert encoded.lengths.max() == 1356
    whole = encode(data.test, data.vocabulary, whole=True)
    assert (whole.asked >= 0).sum() == (encoded.asked >= 0).sum() == 20_000
