"""The playground: one self-contained page in which a trained core answers, step by step."""

from relational_rnn.analysis.playground.page import write_page
from relational_rnn.analysis.playground.scene import scene_at

__all__ = ["scene_at", "write_page"]
