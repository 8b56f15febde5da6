"""Track and recall: FactWorld's own answers and streams, what is asked, trivial scores, what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from relational_rnn.tasks.track_recall import (
    TrackRecall,
    as_record,
    as_text,
    oracle,
    records,
    sample,
    shortcut,
)

# Test examples of https://github.com/ianbarber/factworld (MIT License, Copyright (c) 2026 Ian Barber) at
# b8fd246, `generate(CANONICAL[...], "test", ...)`, in numbers: facts holder:value, events object>holder, what
# is asked for, the answer (of composite_copy_v2 the value of the two that it has, beside the holder).
RECORDED = {
    "recall_copy_v1": [
        ("5:17 6:53 4:44 1:49 7:28", "", 1, 49),
        ("1:60 2:23 3:7 0:17 7:11", "", 0, 17),
        ("0:35 4:54 1:20 6:26 7:8 5:58 3:44 2:22", "", 0, 35),
        ("7:43 5:25 3:7 6:30 4:0 1:11 0:6 2:57", "", 1, 11),
    ],
    "binding_v2": [
        ("", "1>2 1>1 3>4 2>2", 1, 1),
        ("", "1>2 2>1 2>2 3>0", 1, 2),
        ("", "3>1 1>3 3>3 0>3 0>3 3>0 1>3 0>3 1>2 2>2 3>4 3>2 1>2 2>3 0>2 3>2", 1, 2),
        ("", "0>1 1>0 1>2 2>2 0>3 1>2 1>4 3>3 2>1 1>1 3>2 3>0 1>2 3>1 1>4 3>4", 2, 1),
        ("", "2>1 2>2 2>1 2>0 3>0 3>0 2>4 1>0 3>2 0>3 2>2 2>0 0>1 1>0 2>4 0>2", 3, 2),
    ],
    "composite_copy_v2": [
        (
            "18:45 13:36 26:16 23:125 19:108 20:61 29:51 14:112 16:19 15:13 30:109 27:99 24:106 9:0 7:3 0:10",
            "0>26 0>7 1>15 2>16",
            0,
            3,
        ),
        (
            "9:78 11:77 24:72 16:7 26:44 0:111 14:14 5:93 12:116 8:70 7:121 1:82 21:18 15:29 23:17 25:74",
            "0>21 3>12 1>11 2>24",
            3,
            116,
        ),
        (
            "6:119 3:116 18:112 25:84 9:26 11:7 13:70 15:18 23:33 0:62 19:90 12:115 24:102 31:79 14:120 "
            "16:73",
            "1>11 2>13 3>15 3>23 2>9 0>6 2>31 3>13 0>6 2>24 2>25 1>14 0>6 1>19 0>31 0>6",
            3,
            70,
        ),
        (
            "18:104 17:56 16:32 24:107 3:123 7:84 26:121 0:110 10:14 5:35 4:10 9:50 27:2 19:82 8:49 20:103",
            "2>8 2>20 0>18 1>4 3>20 3>26 2>26 1>20 2>4 0>24 0>10 2>27 2>16 3>17 3>16 3>26",
            1,
            103,
        ),
    ],
}
THEIRS = {
    "recall_copy_v1": TrackRecall(kind="recall", answers="one", holders=5, names=8, values=64),
    "binding_v2": TrackRecall(kind="binding", events="gives", answers="one", objects=4, holders=5, names=5),
    "composite_copy_v2": TrackRecall(
        events="gives", answers="one", objects=4, holders=16, names=32, values=128
    ),
}
# Of 20,000 examples of binding_v2 with 16 events: how often each event is the last that counts, and how often
# the object that is asked for is given once, twice, ... 8 times.
LAST = [
    0,
    0.070,
    0.069,
    0.068,
    0.070,
    0.074,
    0.071,
    0.072,
    0.077,
    0.070,
    0.071,
    0.073,
    0.071,
    0.073,
    0.071,
    0,
]
GIVEN = [0.208, 0.262, 0.221, 0.152, 0.090, 0.044, 0.016, 0.005]


WORDS = ("holder", "value")


def inputs_of(task, facts, events, asked):
    """Return one example as features, written down without the task's own code."""
    rows = []

    def row(**marked):
        blocks = {"thing": task.names, "holder": task.names, "value": task.values, "query": 1}
        rows.append([float(marked.get(block) == i) for block, size in blocks.items() for i in range(size)])

    for fact in facts.split():
        holder, value = map(int, fact.split(":"))
        row(holder=holder, value=value)
    for event in events.split():
        thing, holder = map(int, event.split(">"))
        row(thing=thing, holder=holder)
    row(**{"holder" if task.kind == "recall" else "thing": asked, "query": 0})
    return np.array([rows])


@pytest.mark.parametrize("name", RECORDED)
def test_answers_are_those_of_the_benchmark(name):
    for facts, events, asked, answer in RECORDED[name]:
        task = replace(THEIRS[name], length=max(2, len(events.split())))
        if facts:
            task = replace(task, holders=len(facts.split()))
        wanted = np.zeros((1, task.steps), dtype=np.int64)
        wanted[0, -1] = answer
        np.testing.assert_array_equal(oracle(task, inputs_of(task, facts, events, asked)), wanted)


def test_the_stream_is_distributed_as_in_the_benchmark():
    task = replace(THEIRS["binding_v2"], length=16)
    batch = sample(task, 20_000, np.random.default_rng(0))
    things = batch.inputs[:, :, :5].argmax(2)
    asked = things[:, :-1] == things[:, -1:]
    last = 15 - asked[:, ::-1].argmax(1)
    np.testing.assert_allclose(np.bincount(last, minlength=16) / 20_000, LAST, atol=0.01)
    np.testing.assert_allclose(np.bincount(asked.sum(1))[1:9] / 20_000, GIVEN, atol=0.012)
    first = (shortcut(task, batch.inputs) == batch.targets)[batch.mask].mean()
    assert first == pytest.approx(0.3665, abs=0.012)  # theirs, of as many


@pytest.mark.parametrize(
    "task",
    [
        TrackRecall(),
        TrackRecall(objects=3, holders=5, length=0),
        TrackRecall(kind="binding", answers="one", length=40),
        TrackRecall(kind="binding", names=12, objects=9, holders=11, values=2),
        TrackRecall(kind="recall", holders=8),
        TrackRecall(objects=3, holders=5, length=4, written=True),
        *THEIRS.values(),
        replace(THEIRS["composite_copy_v2"], written=True),
    ],
    ids=str,
)
def test_answers_are_those_of_a_plain_reading(task):
    batch = sample(task, 30, np.random.default_rng(1))
    for number in range(30):
        record = as_record(task, batch, number)
        has, held = dict(record["facts"]), {}
        for thing, holder in record["gives"]:
            held[thing] = holder
        for one, other in record["swaps"]:
            held[one], held[other] = held[other], held[one]
        holders = [query if task.kind == "recall" else held[query] for query in record["queries"]]
        answers = holders if task.kind == "binding" else [has[one] for one in holders]
        if task.written:
            assert record["written"] == holders
            answers = [f"{who} {it}" for pair in zip(holders, answers) for who, it in zip(WORDS, pair)]
        assert record["answer"] == answers
        assert len(has) == (0 if task.kind == "binding" else task.people)
        assert len(set(has.values())) == len(has)
        if task.kind != "recall" and task.events == "swaps":
            assert sorted(held) == list(range(task.objects))
            assert len(set(held.values())) == task.objects
            assert len(record["swaps"]) == task.length
    assert batch.mask.sum(1).tolist() == [task.answer_steps] * 30


def test_every_object_is_asked_for_in_random_order_and_facts_tell_nothing_of_who_holds():
    task = TrackRecall(objects=3, holders=5)
    batch = sample(task, 3_000, np.random.default_rng(2))
    things = batch.inputs[:, -3:, :8].argmax(2)
    assert (np.sort(things, axis=1) == np.arange(3)).all()
    np.testing.assert_allclose([(things[:, 0] == thing).mean() for thing in range(3)], 1 / 3, atol=0.04)
    place = (batch.inputs[:, :5, 8:16].argmax(2) == batch.inputs[:, 5:6, 8:16].argmax(2)).mean(0)
    np.testing.assert_allclose(place, 1 / 5, atol=0.03)


@pytest.mark.parametrize(("length", "share"), [(0, 1), (1, 3 / 5), (200, 1 / 5)])
def test_score_of_letting_each_object_where_it_was(length, share):
    task = TrackRecall(length=length)
    batch = sample(task, 2_000, np.random.default_rng(3))
    assert (shortcut(task, batch.inputs) == batch.targets)[batch.mask].mean() == pytest.approx(
        share, abs=0.02
    )
    counts = np.bincount(batch.targets[batch.mask], minlength=16) / batch.mask.sum()
    np.testing.assert_allclose(counts, task.majority, atol=0.015)


def test_sizes_grow():
    assert [task.length for task in TrackRecall().larger()["length"]] == [16, 32, 64, 128, 256]
    assert [task.length for task in TrackRecall(length=0).larger()["length"]] == [0]
    recall = TrackRecall(kind="recall", objects=3)
    assert [task.people for task in recall.larger()["objects"]] == [3, 6]
    assert recall.harder().objects == 6
    assert TrackRecall(kind="recall", holders=6).harder().holders == 8
    with pytest.raises(ValueError, match="no harder task: 8 holders already use all names or values"):
        TrackRecall(kind="recall", holders=8).harder()


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("composite", "What does the holder of object"),
        ("binding", "Who is the holder of object"),
        ("recall", "What does holder"),
    ],
)
def test_text_asks_for_what_counts(kind, asked):
    record = next(records(TrackRecall(kind=kind), 1, 0))
    told = as_text(record).splitlines()
    assert sum(line.startswith(asked) for line in told) == len(record["answer"]) == 5
    assert told[-1] == f"Answer: {record['answer']}"


def spoiled(step, *features):
    """Return good inputs of two examples, but for one row of the second, which has these features."""
    inputs = sample(TrackRecall(), 2, np.random.default_rng(4)).inputs.copy()
    inputs[1, step] = 0
    inputs[1, step, list(features)] = 1
    return inputs


def wrong_holder():
    """Return good inputs of one example, but for the holder that is written after the first object."""
    inputs = sample(WRITTEN, 1, np.random.default_rng(5)).inputs.copy()
    inputs[0, 5, HOLDER:VALUE] = np.roll(inputs[0, 5, HOLDER:VALUE], 1)
    return inputs


GOOD = sample(TrackRecall(), 2, np.random.default_rng(4)).inputs
HOLDER, VALUE, QUERY = 8, 16, 32
WRITTEN = TrackRecall(objects=2, length=0, written=True)
OTHER = next(name for name in range(8) if not GOOD[1, :5, HOLDER + name].any())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: TrackRecall(kind="both"), ValueError, "kind must be .*'composite'.* got 'both'"),
        (lambda: TrackRecall(events="moves"), ValueError, "events must be .*'gives'.* got 'moves'"),
        (lambda: TrackRecall(answers="two"), ValueError, "answers must be .*'one'.* got 'two'"),
        (lambda: TrackRecall(events="gives"), ValueError, "with gives one object .* answers must be 'one'"),
        (lambda: TrackRecall(objects=1), ValueError, "objects must be an integer of at least 2, got 1"),
        (lambda: TrackRecall(objects=9), ValueError, "objects must be at most 8, the names; got 9"),
        (lambda: TrackRecall(holders=9), ValueError, "holders must be at most 8, the names; got 9"),
        (lambda: TrackRecall(holders=4), ValueError, "objects must be at most 4, each has a holder of its"),
        (lambda: TrackRecall(values=4), ValueError, "objects must be at most 4, the values; got 5"),
        (lambda: TrackRecall(length=-1), ValueError, "length must be an integer of at least 0, got -1"),
        (lambda: replace(THEIRS["binding_v2"], length=1), ValueError, "length must be .* at least 2, got 1"),
        (lambda: TrackRecall(names=8.5), TypeError, "names must be an integer"),
        (lambda: TrackRecall(written=1), TypeError, "written must be True or False"),
        (lambda: replace(THEIRS["binding_v2"], written=True), ValueError, "written needs kind 'composite'"),
        (lambda: oracle(WRITTEN, wrong_holder()), ValueError, r"\[0, 5\] must be the statement that comes"),
        (lambda: oracle(TrackRecall(), np.zeros((2, 31, 33))), ValueError, r"\[0, 0\] must be the statement"),
        (lambda: oracle(TrackRecall(), np.zeros((2, 31, 34))), ValueError, r"F = 33; got \(2, 31, 34\)"),
        (
            lambda: oracle(TrackRecall(), spoiled(2, 3, HOLDER)),
            ValueError,
            r"inputs\[1, 2\] must be the statement that comes there: 5 facts, 5 gives, 16 swaps, 5 queries",
        ),
        (lambda: oracle(TrackRecall(), spoiled(12, 3)), ValueError, r"\[1, 12\] must be the statement"),
        (lambda: oracle(TrackRecall(), spoiled(30, 3)), ValueError, r"\[1, 30\] must be the statement"),
        (lambda: oracle(TrackRecall(), spoiled(12, 3, 7)), ValueError, r"\[1, 12\] must name objects and"),
        (lambda: oracle(TrackRecall(), spoiled(30, 6, QUERY)), ValueError, r"\[1, 30\] must name objects"),
        (lambda: oracle(TrackRecall(), spoiled(5, 0, HOLDER + OTHER)), ValueError, r"\[1, \d\] must name"),
        (lambda: oracle(TrackRecall(), spoiled(4, HOLDER + OTHER, VALUE)), ValueError, r"\[1, \d\] must na"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
