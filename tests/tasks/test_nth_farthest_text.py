"""Nth farthest as a person reads it."""

import pytest

from relational_rnn.tasks.nth_farthest import NthFarthest, records
from relational_rnn.tasks.nth_farthest_text import as_text

RECORD = {
    "vectors": [[0.5, 0.0], [-0.5, 0.0], [0.1, -0.001]],
    "labels": [1, 0, 2],
    "reference": 2,
    "answer": 0,
    "n": 0,
}


@pytest.mark.parametrize(
    ("n", "answer", "question"),
    [
        (0, 0, "Which of the 3 vectors is the farthest from vector 2?"),
        (1, 1, "Which of the 3 vectors is the 2nd farthest from vector 2?"),
        (
            2,
            2,
            "Which of the 3 vectors is the 3rd farthest from vector 2, "
            "that is, the nearest: vector 2 itself?",
        ),
    ],
)
def test_question_in_words(n, answer, question):
    lines = as_text({**RECORD, "n": n, "answer": answer}).splitlines()
    assert lines[0] == question
    assert lines[-2:] == ["From the farthest: 0, 1, 2", f"Answer: vector {answer}"]
    marked = [line for line in lines if line.startswith(">")]
    assert [line.split()[1] for line in marked] == [str(answer)]


def test_vectors_in_order_of_presentation():
    assert as_text(RECORD).splitlines()[3:6] == [
        "       1      0.40   0.50  0.00",
        ">      0      0.60  -0.50  0.00",
        "*      2      0.00   0.10  0.00",
    ]


@pytest.mark.parametrize(("objects", "dimensions"), [(8, 16), (2, 1), (4, 13), (4, 14), (30, 50), (12, 17)])
def test_fits_a_terminal_and_shows_every_value(objects, dimensions):
    for record in records(NthFarthest(objects=objects, dimensions=dimensions), 5, seed=1):
        lines = as_text(record).splitlines()
        assert max(map(len, lines)) <= 100
        table = " ".join(lines[3 : lines.index("", 3)]).replace(">", "").replace("*", "").split()
        assert len(table) == objects * (dimensions + 2)
        shown = [float(value) for value in table[2 : dimensions + 2]]
        assert shown == pytest.approx(record["vectors"][0], abs=0.051)


def test_equal_distances_come_in_order_of_presentation():
    tie = {**RECORD, "vectors": [[0.5, 0.0], [-0.5, 0.0], [0.0, 0.0]], "answer": 1}
    assert "From the farthest: 1, 0, 2" in as_text(tie)
