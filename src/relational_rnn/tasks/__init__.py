"""What is asked: examples, labels and oracles, in NumPy."""

from relational_rnn.tasks import nth_farthest
from relational_rnn.tasks.batch import ReasoningBatch
from relational_rnn.tasks.entry import TaskEntry
from relational_rnn.tasks.reasoning import REASONING_TASKS, ReasoningData, generate_reasoning_data
from relational_rnn.tasks.registry import TASKS, entry_of, find_task, score_of, task_name

__all__ = [
    "REASONING_TASKS",
    "TASKS",
    "ReasoningBatch",
    "ReasoningData",
    "TaskEntry",
    "entry_of",
    "find_task",
    "generate_reasoning_data",
    "nth_farthest",
    "score_of",
    "task_name",
]
