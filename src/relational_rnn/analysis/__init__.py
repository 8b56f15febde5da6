"""Figures from run records (curves, bars, sizes, attention), and what a memory holds, counted and drawn.

Needs matplotlib (`pip install matplotlib`) only when a figure is drawn, and never torch.
"""

from relational_rnn.analysis.attention import Attention, attention_in_words, attention_maps, draw_attention
from relational_rnn.analysis.bars import Bar, accuracy_bars, draw_accuracy_bars
from relational_rnn.analysis.confidence import binomial_half_width
from relational_rnn.analysis.cost import Cost, cost_bars, draw_cost_bars
from relational_rnn.analysis.curves import Curve, StageChange, draw_training_curves, training_curves
from relational_rnn.analysis.decoding import SlotContents, slot_contents, slot_record
from relational_rnn.analysis.efficiency import (
    Efficiency,
    draw_sample_efficiency,
    examples_to_accuracy,
    sample_efficiency,
    thresholds,
)
from relational_rnn.analysis.factor_overview import draw_overview, overview_figure, overview_table
from relational_rnn.analysis.factors import draw_factor, factor_figure, factor_table, points_table
from relational_rnn.analysis.finding import finding
from relational_rnn.analysis.losses import Line, Losses, draw_loss_curves
from relational_rnn.analysis.memory import (
    compare_memories,
    effective_rank,
    output_range,
    phase_norms,
    phases_of,
    slot_changes,
    slot_norms,
    slot_variance,
    slots_written,
    specialisation,
    state_rank,
    summarise_memory,
)
from relational_rnn.analysis.memory_plots import (
    draw_gates,
    draw_memory_evolution,
    draw_slot_changes,
    memory_evolution,
)
from relational_rnn.analysis.mistakes import draw_mistakes, mistakes, mistakes_figure, mistakes_in_words
from relational_rnn.analysis.plane import Place, draw_plane
from relational_rnn.analysis.question_attention import attention_shares, question_maps
from relational_rnn.analysis.recorded_memory import RecordedMemory, record_memory
from relational_rnn.analysis.report import write_page, write_report
from relational_rnn.analysis.sizes import Reach, SizeAxis, draw_generalisation, generalisation
from relational_rnn.analysis.slot_maps import draw_slot_usage, slot_usage
from relational_rnn.analysis.slot_plots import draw_slot_contents, slot_contents_figure, slots_in_words
from relational_rnn.analysis.style import save
from relational_rnn.analysis.supervised import (
    cost_table,
    generalisation_table,
    kinds_table,
    mean_curve,
    memory_table,
    model_costs,
    model_efficiencies,
    seeds_table,
    size_axes,
    summary_table,
)
from relational_rnn.analysis.tables import (
    Table,
    long_words_table,
    longer_table,
    regime_of,
    regimes_table,
    score_table,
    selected_only,
)

__all__ = [
    "Attention",
    "Bar",
    "Cost",
    "Curve",
    "Efficiency",
    "Line",
    "Losses",
    "Place",
    "Reach",
    "RecordedMemory",
    "SizeAxis",
    "SlotContents",
    "StageChange",
    "Table",
    "accuracy_bars",
    "attention_in_words",
    "attention_maps",
    "attention_shares",
    "binomial_half_width",
    "compare_memories",
    "cost_bars",
    "cost_table",
    "draw_accuracy_bars",
    "draw_attention",
    "draw_cost_bars",
    "draw_factor",
    "draw_gates",
    "draw_generalisation",
    "draw_loss_curves",
    "draw_memory_evolution",
    "draw_mistakes",
    "draw_overview",
    "draw_plane",
    "draw_sample_efficiency",
    "draw_slot_changes",
    "draw_slot_contents",
    "draw_slot_usage",
    "draw_training_curves",
    "effective_rank",
    "examples_to_accuracy",
    "factor_figure",
    "factor_table",
    "finding",
    "generalisation",
    "generalisation_table",
    "kinds_table",
    "long_words_table",
    "longer_table",
    "mean_curve",
    "memory_evolution",
    "memory_table",
    "mistakes",
    "mistakes_figure",
    "mistakes_in_words",
    "model_costs",
    "model_efficiencies",
    "output_range",
    "overview_figure",
    "overview_table",
    "phase_norms",
    "phases_of",
    "points_table",
    "question_maps",
    "record_memory",
    "regime_of",
    "regimes_table",
    "sample_efficiency",
    "save",
    "score_table",
    "seeds_table",
    "selected_only",
    "size_axes",
    "slot_changes",
    "slot_contents",
    "slot_contents_figure",
    "slot_norms",
    "slot_record",
    "slot_usage",
    "slot_variance",
    "slots_in_words",
    "slots_written",
    "specialisation",
    "state_rank",
    "summarise_memory",
    "summary_table",
    "thresholds",
    "training_curves",
    "write_page",
    "write_report",
]
