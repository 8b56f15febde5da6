"""What a model reads at each step of an example, in a word or a few: for pages that go through the steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from relational_rnn.tasks.group_word import permutation
from relational_rnn.tasks.programs.characters import CHARACTERS

QUERY = "?"
"""A step that shows nothing and expects an answer."""
PAUSE = "..."
"""A step that shows nothing."""


def of_nth_farthest(record: Mapping[str, Any], inputs: np.ndarray) -> list[str]:
    """Return the labels of the vectors.

    Example:
        >>> of_nth_farthest({"labels": [2, 0, 1]}, np.zeros((3, 4)))
        ['vector 2', 'vector 0', 'vector 1']
    """
    return [f"vector {label}" for label in record["labels"]]


def of_sorting(record: Mapping[str, Any], inputs: np.ndarray) -> list[str]:
    """Return the items, then a query for each place.

    Example:
        >>> of_sorting({"items": [8, 6]}, np.zeros((4, 11)))
        ['8', '6', '?', '?']
    """
    return [*map(str, record["items"]), *[QUERY] * len(record["items"])]


def of_pair_matching(record: Mapping[str, Any], inputs: np.ndarray) -> list[str]:
    """Return the pairs, then the key that is asked for.

    Example:
        >>> of_pair_matching({"pairs": [[9, 2], [4, 0]], "query": 4}, np.zeros((3, 23)))
        ['key 9 = 2', 'key 4 = 0', 'key 4 = ?']
    """
    return [*(f"key {key} = {value}" for key, value in record["pairs"]), f"key {record['query']} = {QUERY}"]


def of_object_tracking(record: Mapping[str, Any], inputs: np.ndarray) -> list[str]:
    """Return where each object starts, the moves, and the object that is asked for.

    Example:
        >>> record = {"objects": [[3, 0, 4]], "moves": [[3, "left"]], "query": 3}
        >>> of_object_tracking(record, np.zeros((3, 21)))
        ['3 at 0,4', '3 left', '3 where?']
    """
    starts = [f"{label} at {row},{column}" for label, row, column in record["objects"]]
    moves = [f"{label} {direction}" for label, direction in record["moves"]]
    return [*starts, *moves, f"{record['query']} where?"]


def of_babi_synthetic(record: Mapping[str, Any], inputs: np.ndarray) -> list[str]:
    """Return the words of the story and the question.

    Example:
        >>> record = {"story": ["bill went to attic ."], "question": "where was bill ?"}
        >>> of_babi_synthetic(record, np.zeros((9, 33)))[-3:]
        ['was', 'bill', '?']
    """
    return " ".join([*record["story"], record["question"]]).split()


def of_group_word(record: Mapping[str, Any], inputs: np.ndarray) -> list[str]:
    """Return the elements as permutations.

    Example:
        >>> of_group_word({"group": "S3", "elements": [1, 4]}, np.zeros((2, 6)))
        ['(0 2 1)', '(2 0 1)']
    """
    return [permutation(record["group"], number) for number in record["elements"]]


def of_mqar(record: Mapping[str, Any], inputs: np.ndarray) -> list[str]:
    """Return the keys, each before its value, then the queries and the gaps between them.

    Example:
        >>> of_mqar({"pairs": [[5, 12]], "queries": [0, 5]}, np.zeros((6, 132)))
        ['key 5', '= 12', '-', '-', 'key 5 = ?', '-']
    """
    pairs = [word for key, value in record["pairs"] for word in (f"key {key}", f"= {value}")]
    places = [(f"key {key} = {QUERY}" if key else "-", "-") for key in record["queries"]]
    return [*pairs, *(word for place in places for word in place)]


def of_track_recall(record: Mapping[str, Any], inputs: np.ndarray) -> list[str]:
    """Return facts, events and queries.

    Example:
        >>> record = {"kind": "composite", "facts": [[2, 7]], "gives": [[0, 2]], "swaps": [[0, 1]]}
        >>> of_track_recall({**record, "queries": [0], "written": []}, np.zeros((4, 33)))
        ['holder 2 = 7', 'object 0 to holder 2', 'objects 0, 1 swap', 'object 0 ?']
    """
    asked = "holder" if record["kind"] == "recall" else "object"
    queries = [f"{asked} {query} {QUERY}" for query in record["queries"]]
    if record["written"]:
        written = [f"holder {holder} {QUERY}" for holder in record["written"]]
        queries = [word for both in zip(queries, written) for word in both]
    return [
        *(f"holder {holder} = {value}" for holder, value in record["facts"]),
        *(f"object {thing} to holder {holder}" for thing, holder in record["gives"]),
        *(f"objects {one}, {other} swap" for one, other in record["swaps"]),
        *queries,
    ]


def of_babi(record: Mapping[str, Any], inputs: np.ndarray) -> list[str]:
    """Return the words of the story, its questions among them, or its sentences; and the pauses.

    Example:
        >>> of_babi({"story": "where is mary ?"}, np.eye(5)[[1, 2, 3, 4]])
        ['where', 'is', 'mary', '?']
        >>> of_babi({"story": "mary left . where is mary ?"}, np.array([[0, 1, 1], [0, 2, 0], [0, 0, 0]]))
        ['mary left .', 'where is mary ?', '...']
    """
    shown = (inputs[:, 1:] != 0).any(1)
    told: list[str] = record["story"].split()
    if shown.sum() < len(told):
        told = [sentence.strip() for sentence in re.findall(r"[^.?]+[.?]", record["story"])]
    steps = iter(told)
    return [next(steps) if step else PAUSE for step in shown]


def of_characters(record: Mapping[str, Any], inputs: np.ndarray) -> list[str]:
    """Return the characters as they are read, which is backwards, then a query for each of the answer's.

    Example:
        >>> of_characters({}, np.array([[0, 0, 1.0], [0, 1.0, 0], [0, 0, 0]]))
        ['2', '1', '?']
    """
    seen = CHARACTERS[1:]  # padding is no feature
    return [seen[step.argmax()] if step.any() else QUERY for step in inputs[:, : len(seen)]]
