"""What is asked: examples, labels and oracles, in NumPy."""

from relational_rnn.tasks import nth_farthest
from relational_rnn.tasks.registry import TASKS, TaskEntry, find_task

__all__ = ["TASKS", "TaskEntry", "find_task", "nth_farthest"]
