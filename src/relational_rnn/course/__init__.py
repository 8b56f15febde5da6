"""The course: its exercises, and the checks that say in words what is wrong. The texts are in `course/`."""

from relational_rnn.course.checking import Part, Result, WrongAnswer, check, compare, unpack
from relational_rnn.course.registry import EXERCISES, Exercise, find_exercise

__all__ = [
    "EXERCISES",
    "Exercise",
    "Part",
    "Result",
    "WrongAnswer",
    "check",
    "compare",
    "find_exercise",
    "unpack",
]
