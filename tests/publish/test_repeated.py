"""The table of trainings that ran on several processors."""

import copy
import dataclasses

import pytest

from tools.publish.manifest import MANIFEST
from tools.publish.records import read_record
from tools.publish.repeated import repeated_table


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
    with pytest.raises(ValueError, match="quick-0: no training ran on two processors"):
        repeated_table([here])
