"""Which record fills which table and figure of the pages.

The place `<!-- GROUP TABLE -->` of a page holds a table of the records of a group. To show a new record, put
its name into a group; to show a new table, name it in `shows` and write its place into a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "training",
    "supervised",
    "reasoning",
    "programs",
    "ablation",
    "comparison",
    "opponents",
    "search",
    "tuning",
    "repeated",
]


@dataclass(frozen=True)
class Group:
    """Records that pages show together."""

    kind: Kind
    """Of what its runs are: a key of `tables.TABLES`."""
    records: tuple[str, ...]
    """Files of docs/results/records, in the order of the rows."""
    shows: tuple[str, ...]
    """Tables of its kind; of an ablation also names of its factors."""
    preset: str = "quick"
    """Preset of the commands."""


REASONING: Final = ("sorting", "pair-matching", "object-tracking", "babi-synthetic")
PROGRAMS: Final = ("copy", "reverse", "double", "addition", "control", "program")
COMPARED: Final = tuple(
    f"compare-paper8x16-{seed}-{model}"
    for seed in (0, 1, 2)
    for model in ("dnc", "gru", "hybrid", "lstm", "transformer-own", "transformer")
)

MANIFEST: Final[dict[str, Group]] = {
    # Nth farthest, the RMC; `quick` beside an LSTM.
    "quick": Group("training", ("quick-0", "quick-0b", "quick-1", "quick-2"), ("seeds", "trainings")),
    "paper8x16": Group(
        "training",
        ("paper8x16-0", "paper8x16-1", "paper8x16-2"),
        ("seeds", "score", "milestones", "growth", "longer", "mistakes", "slots"),
        "paper8x16",
    ),
    "short": Group(
        "training",
        ("short-paper8x16-0", "short-paper8x16-1", "short-paper8x16-2"),
        ("seeds", "score", "milestones", "longer", "mistakes", "slots"),
        "paper8x16",
    ),
    "shipped": Group("training", ("shipped-paper8x16-0",), ("seeds",), "paper8x16"),
    "smaller": Group(
        "training",
        ("smaller-paper8x16-0", "smaller-paper8x16-0b", "smaller-paper8x16-1", "smaller-paper8x16-2"),
        ("seeds", "milestones", "longer"),
        "paper8x16",
    ),
    "gelu": Group(
        "training",
        ("gelu-paper8x16-0", "gelu-paper8x16-1", "gelu-paper8x16-2"),
        ("seeds", "milestones", "longer"),
        "paper8x16",
    ),
    "gelulong": Group("training", ("gelulong-paper8x16-0",), ("seeds", "milestones", "longer"), "paper8x16"),
    "twice": Group(
        "training", ("twice-paper8x16-0",), ("seeds", "milestones", "longer", "slots"), "paper8x16"
    ),
    "twicelow": Group("training", ("twicelow-paper8x16-0",), ("seeds", "milestones", "longer"), "paper8x16"),
    "batch1024": Group("training", ("batch1024-paper8x16-0",), ("seeds", "milestones"), "paper8x16"),
    "threshold": Group("training", ("threshold-paper8x16-0",), ("seeds", "milestones"), "paper8x16"),
    "rate4e3": Group("training", ("rate4e3-paper8x16-0", "rate4e3-paper8x16-1"), ("seeds",), "paper8x16"),
    "direct": Group("training", ("direct-paper8x16-1",), ("seeds",), "paper8x16"),
    "adam": Group("training", ("adam-paper8x16-0",), ("seeds", "growth"), "paper8x16"),
    "dimensions32": Group(
        "training",
        ("dimensions32-paper8x16-0", "dimensions32-paper8x16-0b", "dimensions32-paper8x16-0c"),
        ("seeds", "growth"),
        "paper8x16",
    ),
    "objects16": Group("training", ("objects16-paper8x16-0",), ("seeds", "growth"), "paper8x16"),
    # Nth farthest, other models beside the RMC, and what they are tuned with.
    "compare-nth-farthest": Group(
        "comparison", ("compare-nth-farthest",), ("command", "summary", "longer", "cost", "memory")
    ),
    "compare-paper8x16": Group("opponents", COMPARED, ("command", "summary", "best", "longer"), "paper8x16"),
    "sweep-paper8x16": Group(
        "search",
        (
            *("sweep-paper8x16-dnc", "sweep-paper8x16-gru", "sweep-paper8x16-hybrid", "sweep-paper8x16-lstm"),
            *("sweep-paper8x16-rmc-3e3", "sweep-paper8x16-rmc", "sweep-paper8x16-transformer"),
        ),
        ("command", "summary"),
        "paper8x16",
    ),
    "growth-paper8x16": Group(
        "search",
        (
            *("growth-paper8x16-dnc", "growth-paper8x16-gru", "growth-paper8x16-hybrid-low"),
            *("growth-paper8x16-hybrid", "growth-paper8x16-lstm-high", "growth-paper8x16-lstm"),
            *("growth-paper8x16-rmc-3e3", "growth-paper8x16-rmc", "growth-paper8x16-transformer"),
        ),
        ("command", "summary"),
        "paper8x16",
    ),
    # Nth farthest, one thing changed at a time.
    "nth-farthest": Group(
        "ablation",
        ("ablation-nth-farthest",),
        (
            *("command", "mem_slots", "slot_size", "num_heads", "num_blocks", "gate_style"),
            *("use_attention", "use_mlp", "use_residual", "use_layer_norm"),
            *("initial_memory", "initialisation"),
        ),
    ),
    "norms-quick": Group("ablation", ("ablation-norms-quick",), ("command", "layer_norm_placement")),
    "low-quick": Group("ablation", ("ablation-low-quick",), ("command", "overview")),
    "why": Group("ablation", ("ablation-why",), ("command", "overview")),
    "torch": Group("ablation", ("ablation-torch",), ("command", "overview")),
    "full": Group("ablation", ("ablation-full",), ("command", "overview")),
    "port": Group("ablation", ("ablation-port",), ("command", "overview")),
    "portlow": Group("ablation", ("ablation-portlow",), ("command", "overview")),
    "portown": Group("ablation", ("ablation-portown",), ("command", "overview")),
    "five-paper8x16": Group("ablation", ("ablation-five-paper8x16",), ("command", "overview"), "paper8x16"),
    "short-paper8x16": Group("ablation", ("ablation-short-paper8x16",), ("command", "overview"), "paper8x16"),
    "smaller-paper8x16": Group(
        "ablation", ("ablation-smaller-paper8x16",), ("command", "overview"), "paper8x16"
    ),
    # Other tasks.
    "levers-copy": Group("ablation", ("levers-copy",), ("command", "optimiser", "warmup_steps")),
    "read-babi": Group("ablation", ("ablation-read-babi",), ("command", "read_head")),
    "reasoning": Group("reasoning", REASONING, ("overview",)),
    "sorting": Group("supervised", ("sorting",), ("summary", "seeds", "memory")),
    "pair-matching": Group("supervised", ("pair-matching",), ("summary", "seeds", "memory")),
    "object-tracking": Group("supervised", ("object-tracking",), ("summary", "seeds", "memory")),
    "babi-synthetic": Group("supervised", ("babi-synthetic",), ("summary", "kinds", "seeds", "memory")),
    "programs": Group("programs", PROGRAMS, ("overview",)),
    "copy": Group("supervised", ("copy",), ("summary", "efficiency")),
    "reverse": Group("supervised", ("reverse",), ("summary", "generalisation", "efficiency")),
    "double": Group("supervised", ("double",), ("summary", "generalisation", "efficiency")),
    "addition": Group("supervised", ("addition",), ("summary", "generalisation", "efficiency")),
    "repeated": Group(
        "repeated",
        (
            *("quick-0", "quick-1", "quick-2", "repeated-quick", "sorting", "repeated-sorting"),
            *("pair-matching", "repeated-pair-matching", "copy", "repeated-copy", "babi", "repeated-babi"),
            *("addition", "repeated-addition"),
        ),
        ("table",),
    ),
    "search-copy": Group("tuning", ("search-copy",), ("command", "summary")),
    "search-addition": Group("tuning", ("search-addition",), ("command", "summary")),
    "search-control": Group("tuning", ("search-control",), ("command", "summary")),
    "search-program": Group("tuning", ("search-program",), ("command", "summary")),
    "mqar": Group("supervised", ("mqar",), ("summary", "generalisation", "cost")),
    "mqar-longer": Group("supervised", ("mqar-longer",), ("summary",)),
    "search-mqar": Group("tuning", ("search-mqar",), ("command", "summary")),
    "s5": Group("supervised", ("s5",), ("summary", "last", "whole", "cost"), "s5"),
    "s5-opponents": Group("supervised", ("s5-opponents",), ("summary", "last", "whole", "cost"), "s5"),
    "search-s5": Group("tuning", ("search-s5-rmc", "search-s5"), ("command", "summary"), "s5"),
    "control": Group("supervised", ("control",), ("summary", "generalisation", "efficiency")),
    "program": Group("supervised", ("program",), ("summary", "generalisation", "efficiency")),
    "babi": Group("supervised", ("babi",), ("summary", "kinds", "efficiency")),
    "characters": Group("supervised", ("characters",), ("summary", "cost"), "characters"),
    "search-characters": Group(
        "tuning",
        (
            *("search-characters", "search-characters-opponents", "search-characters-higher"),
            *("search-characters-highest", "search-characters-top"),
        ),
        ("command", "summary"),
        "characters",
    ),
    "compare-sorting": Group(
        "comparison", ("compare-sorting",), ("command", "summary", "generalisation", "cost", "memory")
    ),
}
"""Group -> what pages show of it."""

OPPONENTS: Final = "compare-paper8x16"
"""The group whose models train with what the searches led to."""

RECALL: Final = ("mqar",)
TRACKING: Final = ("s5", "s5-opponents")
"""Records whose scores stand against each other in a figure."""

SHOWN: Final = ("nth-farthest-8x16",)
"""Packaged cores whose insides the pages show."""

PRETRAINED_TABLES: Final = ("mistakes", "slots", "attention")
"""What pages show of a packaged core, at places `pretrained-NAME TABLE`."""

FIGURES: Final[dict[str, tuple[str, ...]]] = {
    # Drawn from records.
    "training_curves": (
        *("quick-0", "paper8x16-0", "short-paper8x16-0", "smaller-paper8x16-0b", "dimensions32-paper8x16-0"),
        *(*PROGRAMS, "babi", "characters"),
    ),
    "accuracy_test": ("compare-nth-farthest", *REASONING),  # records that lack the points of their curves
    "all_factors": ("ablation-nth-farthest", "ablation-five-paper8x16"),
    "mem_slots": ("ablation-nth-farthest",),
    "gate_style": ("ablation-nth-farthest",),
    "initialisation": ("ablation-nth-farthest",),
    "layer_norm_placement": ("ablation-norms-quick",),
    "mistakes": ("paper8x16-0",),
    "slot_contents": ("paper8x16-0",),
    "generalisation": ("compare-sorting", "addition"),
    "sample_efficiency": ("addition", "control"),
    # Copied from their runs, for they need weights.
    "attention": ("addition",),
    "gates": ("addition",),
    "slot_usage": ("addition",),
    "slot_changes": ("addition",),
    "memory_evolution": ("addition",),
}
"""Figure -> records of which pages show it, as figures/RECORD_FIGURE.png."""

BASE: Final = (("why", "base"),)
"""The authors' code with the curriculum, in the figure on the public ports."""

WHY: Final[tuple[tuple[str, dict[str, tuple[tuple[str, str], ...]]], ...]] = (
    (
        "a public port",
        {
            "as it is": (("port", "base"),),
            "with the authors' core and loss": (("port", "port_fault=none"),),
            "with the authors' initial weights": (("port", "initialisation=authors"),),
            "with the curriculum": (("port", "grow=true"),),
            "with the authors' initial weights and the curriculum": (("why", "port_fault=all"),),
        },
    ),
    ("the core of this package", {"the authors' code, with the curriculum": BASE}),
    (
        "the authors' code, one thing of the port's in it",
        {
            "torch's initial weights": (("why", "initialisation=torch"),),
            "without the curriculum": (("why", "grow=false"),),
            "any one of the four faults of its core": tuple(
                ("why", f"port_fault={fault}")
                for fault in ("tied-mlp", "final-relu", "joint-norm", "double-softmax")
            ),
        },
    ),
)
"""Rows of the figure on the public ports, in three groups: a heading, and what is changed -> the variants of
the ablations above that have it."""
