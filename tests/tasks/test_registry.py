"""The registry of tasks."""

import pytest

from relational_rnn.tasks import TASKS, find_task


def test_finds_a_task():
    assert find_task("nth-farthest") is TASKS["nth-farthest"]


def test_unknown_task_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"there is no task 'chess'; known tasks: .*nth-farthest"):
        find_task("chess")


def test_underscores_in_a_task_name():
    assert find_task("nth_farthest") is find_task("nth-farthest")
