"""Programs to execute and digits to memorise: characters in, digits out (Zaremba and Sutskever 2014).

The tasks of Santoro et al. 2018, appendix A.2, and algebra, in the surface syntax of the authors' generator
(Sonnet v1, `learn_to_execute.py`):

    addition    (88+12)+34                          copy       472 -> 472
    algebra     (88*12)-34                          reverse    472 -> 274
    control     x=(36if66<68else26)for[5]x+=85      double     472 -> 472472
    program     all of these operations

A program of nesting N is a chain of N operations, the value of each being the first operand of the next. All
its literals have L digits, and the answer is the value mod 10^(L+1).

**What a model sees.** The characters one a step, one-hot, and from the step after the last one on nothing but
zeros: at the i-th of these steps the i-th digit of the answer is to be told. No digit of it is ever shown,
neither the right one nor the model's own (non-autoregressive decoding). A recurrent network that reads such a
sequence is both encoder and decoder, as in the authors' code; any causal model can read it.

**What counts.** The digits of the answer and nothing after them, as in the authors' code; see `scores`.
"""

from relational_rnn.tasks.programs.characters import CHARACTERS, PADDING, as_strings
from relational_rnn.tasks.programs.curriculum import (
    CURRICULA,
    at_full_size,
    at_level,
    level_is_learned,
    level_sizes,
)
from relational_rnn.tasks.programs.examples import CharacterBatch, as_record, as_text, oracle, records, sample
from relational_rnn.tasks.programs.interpreter import evaluate
from relational_rnn.tasks.programs.memorisation import Copy, Double, MemorisationTask, Reverse
from relational_rnn.tasks.programs.operations import Addition, Algebra, Control, FullProgram, ProgramTask
from relational_rnn.tasks.programs.scores import Scores, majority_answers, majority_scores, score
from relational_rnn.tasks.programs.task import CharacterTask, Drawn

__all__ = [
    "CHARACTERS",
    "CURRICULA",
    "PADDING",
    "Addition",
    "Algebra",
    "CharacterBatch",
    "CharacterTask",
    "Control",
    "Copy",
    "Double",
    "Drawn",
    "FullProgram",
    "MemorisationTask",
    "ProgramTask",
    "Reverse",
    "Scores",
    "as_record",
    "as_strings",
    "as_text",
    "at_full_size",
    "at_level",
    "evaluate",
    "level_is_learned",
    "level_sizes",
    "majority_answers",
    "majority_scores",
    "oracle",
    "records",
    "sample",
    "score",
]
