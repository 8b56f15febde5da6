"""Language modelling: a text as words, characters, bytes or sub-words, encoded once and read from disk."""

from relational_rnn.tasks.language.stream import Text
from relational_rnn.tasks.language.task import Language, Stream, read
from relational_rnn.tasks.language.vocabulary import UNITS, Vocabulary, build_vocabulary, cut_offs

__all__ = ["UNITS", "Language", "Stream", "Text", "Vocabulary", "build_vocabulary", "cut_offs", "read"]
