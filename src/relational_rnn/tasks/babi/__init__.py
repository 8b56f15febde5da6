"""The bAbI stories (Weston et al. 2015): 20 tasks of statements, and questions with the facts they rest on.

`find` says where the files are, or that there are none; `load` reads them into `Story` objects in splits with
a joint vocabulary; `encode` turns stories into numbers, and `score` counts errors as the papers do.
"""

from relational_rnn.tasks.babi.data import BabiData, load
from relational_rnn.tasks.babi.encode import EncodedStories, StoryRows, Vocabulary, encode
from relational_rnn.tasks.babi.scores import BabiScores, majority_scores, mean_and_failed, score
from relational_rnn.tasks.babi.source import Source, download, files_in, find
from relational_rnn.tasks.babi.stories import TASKS, Question, Story, parse, read_file

__all__ = [
    "TASKS",
    "BabiData",
    "BabiScores",
    "EncodedStories",
    "Question",
    "Source",
    "Story",
    "StoryRows",
    "Vocabulary",
    "download",
    "encode",
    "files_in",
    "find",
    "load",
    "majority_scores",
    "mean_and_failed",
    "parse",
    "read_file",
    "score",
]
