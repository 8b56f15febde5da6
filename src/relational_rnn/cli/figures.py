"""All figures of a run, by name: what `train` draws at its end and `visualize` draws again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from relational_rnn import analysis
from relational_rnn.analysis import headlines, run_figures
from relational_rnn.analysis.question_attention import REFERENCE
from relational_rnn.analysis.run_figures import NoFigure, about_run
from relational_rnn.cli.finished import FinishedRun
from relational_rnn.config.checks import did_you_mean
from relational_rnn.training.files import find_target

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS: Final = ("png", "svg", "pdf")

OF_WEIGHTS: Final = frozenset(
    (
        *("attention", "gates", "slot_usage", "slot_changes", "memory_evolution"),
        *("mistakes", "slot_contents"),
    )
)
"""Figures of what trained models do; the others are drawn from what the run has written down."""


def _attention(run: FinishedRun) -> Figure:
    if not run.attention:
        raise run.lacks("attention that can be recorded")
    marked = {"steps at which an answer is expected": np.flatnonzero(run.mask([run.example])[0]).tolist()}
    if hasattr(run.one, "reference"):  # Nth farthest, whose answer comes after the last step
        marked = {REFERENCE: [run.record["labels"].index(run.record["reference"])]}
    return analysis.draw_attention(
        run.attention,
        title=analysis.attention_in_words(run.attention),
        about=run.example_in_words(),
        step_labels=run.step_labels(),
        marked=marked,
    )


def _of_memories(draw: Callable[..., Figure], words: Callable[..., str], lacks: str) -> Callable[..., Figure]:
    """Return what draws the memories of a run.

    Args:
        draw: from memories by label.
        words: that say what they show; empty if they show nothing of it.
        lacks: what the models then lack.
    """

    def figure(run: FinishedRun) -> Figure:
        title = words(run.memories) if run.memories else ""
        if not title:
            raise run.lacks(lacks)
        return draw(
            run.memories, title=title[:1].upper() + title[1:], about=run.what, mask=run.mask(run.chosen)
        )

    return figure


def _mistakes(run: FinishedRun) -> Figure:
    title = analysis.mistakes_in_words(run.mistakes)
    about = about_run(run.config, run.results, "which questions are answered wrongly")
    return analysis.draw_mistakes(run.mistakes, title=title, about=about)


def _slot_contents(run: FinishedRun) -> Figure:
    contents, _ = run.insides
    about = about_run(run.config, run.results, "what the RMC's slots hold")
    return analysis.draw_slot_contents(contents, title=analysis.slots_in_words(contents), about=about)


TWIN = "a memory that can be recorded (a NumPy twin)"

FIGURES: Final[Mapping[str, Callable[[FinishedRun], Figure]]] = {
    "training_curves": lambda run: run_figures.curves_figure(run.config, run.results, run.evaluations),
    "loss_curves": lambda run: run_figures.losses_figure(run.config, run.results, run.records),
    "accuracy_test": lambda run: run_figures.accuracy_figure(run.config, run.results, "test"),
    "accuracy_harder": lambda run: run_figures.accuracy_figure(run.config, run.results, "harder"),
    "sample_efficiency": lambda run: run_figures.efficiency_figure(run.config, run.results, run.evaluations),
    "generalisation": lambda run: run_figures.generalisation_figure(run.config, run.results),
    "cost": lambda run: run_figures.cost_figure(run.config, run.results),
    "attention": _attention,
    "gates": _of_memories(analysis.draw_gates, headlines.gates_in_words, "gates"),
    "slot_usage": _of_memories(analysis.draw_slot_usage, headlines.usage_in_words, TWIN),
    "slot_changes": _of_memories(analysis.draw_slot_changes, headlines.changes_in_words, TWIN),
    "memory_evolution": _of_memories(analysis.draw_memory_evolution, headlines.memory_in_words, TWIN),
    "mistakes": _mistakes,
    "slot_contents": _slot_contents,
}
"""Name -> what draws it, or raises `NoFigure`."""


def check_names(names: Iterable[str], known: Iterable[str]) -> None:
    """Check names of figures.

    Raises:
        ValueError: one is unknown; the message has the nearest, and all.
    """
    every = list(known)
    for name in names:
        if name not in every:
            near = did_you_mean(name, every)
            raise ValueError(f"there is no figure {name!r}{near}; figures: {', '.join(every)}")


def draw_figures(
    run: FinishedRun, only: Sequence[str] = (), suffix: str = "png"
) -> tuple[list[Path], dict[str, str]]:
    """Draw figures of a run into its plots; the first file is replaced when all of them are drawn.

    Args:
        run: finished.
        only: their names; all if there are none.
        suffix: of the files, one of `FORMATS`.

    Returns:
        The files; and of the figures that this run cannot have, why not.

    Raises:
        ValueError: an unknown name.
        BadFile: a file that they are drawn from is damaged.
    """
    check_names(only, FIGURES)
    names = list(dict.fromkeys(only)) or list(FIGURES)
    paths = {name: run.folder.plots / f"{name}.{suffix}" for name in names}
    for path in paths.values():
        find_target(path)  # raises before anything is drawn, as damaged weights do
    if OF_WEIGHTS & set(names):
        run.trained  # noqa: B018
    drawn, absent = dict[str, "Figure"](), dict[str, str]()
    for name in names:
        try:
            drawn[name] = FIGURES[name](run)
        except NoFigure as reason:
            absent[name] = str(reason)
    return [analysis.save(figure, paths[name]) for name, figure in drawn.items()], absent
