"""The table of trainings that ran on several processors."""

import copy
import dataclasses

import pytest

from tools.publish.manifest import MANIFEST
from tools.publish.records import read_record
from tools.publish.repeated import repeated_table

SORTING = read_record("sorting", MANIFEST["sorting"])
RIGHT = SORTING.content["results"]["models"]["rmc"]["trainings"][0]["test_accuracy"]


def on_a_third(record):
    """Return a record of the same scores on a third processor."""
    content = copy.deepcopy(record.content)
    content["config"]["processor"] = "a third"
    return dataclasses.replace(record, name="third", content=content)


def test_a_training_on_another_processor():
    here = read_record("quick-0", MANIFEST["quick"])
    content = copy.deepcopy(here.content)
    content["config"]["processor"] = "another"
    (training,) = content["results"]["models"]["rmc"]["trainings"]
    before = training["test_accuracy"]
    training["test_accuracy"] = before - 0.01
    del content["results"]["models"]["lstm"]
    there = dataclasses.replace(here, name="there", content=content)
    head, _, row = repeated_table([here, there]).strip().splitlines()
    assert head == "| task | training and seed | processor: not recorded | processor: another | apart |"
    assert row == f"| nth-farthest | rmc-0 | {100 * before:.2f} % | {100 * before - 1:.2f} % | 1.00 |"
    assert "sorting" not in repeated_table([SORTING, there, on_a_third(there)])  # on one processor alone
    table = repeated_table([here, there, SORTING, on_a_third(SORTING)])
    assert "| processor: not recorded | processor: another | processor: a third | apart |" in table
    assert f"| sorting | rmc-0 | {100 * RIGHT:.2f} % | - | {100 * RIGHT:.2f} % | 0.00 |" in table
    with pytest.raises(ValueError, match="quick-0: no training ran on two processors"):
        repeated_table([here])
