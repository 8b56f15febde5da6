"""Figures from run records: training curves, accuracy bars, attention heat maps, and confidence intervals.

Needs matplotlib (`pip install "relational-rnn[plot]"`) only when a figure is drawn, and never torch.
"""

from relational_rnn.analysis.attention import (
    AttentionExample,
    attention_example,
    attention_heatmap,
    draw_attention_heatmap,
)
from relational_rnn.analysis.bars import Bar, accuracy_bars, draw_accuracy_bars
from relational_rnn.analysis.confidence import binomial_half_width
from relational_rnn.analysis.curves import Curve, StageChange, draw_training_curves, training_curves
from relational_rnn.analysis.report import SCORE_COLUMNS, score_rows, write_report
from relational_rnn.analysis.style import save

__all__ = [
    "SCORE_COLUMNS",
    "AttentionExample",
    "Bar",
    "Curve",
    "StageChange",
    "accuracy_bars",
    "attention_example",
    "attention_heatmap",
    "binomial_half_width",
    "draw_accuracy_bars",
    "draw_attention_heatmap",
    "draw_training_curves",
    "save",
    "score_rows",
    "training_curves",
    "write_report",
]
