"""All figures of a run, by name: what `train` draws at its end and `visualize` draws again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from relational_rnn import analysis
from relational_rnn.analysis import headlines, run_figures
from relational_rnn.analysis.question_attention import REFERENCE
from relational_rnn.analysis.run_curves import points_of
from relational_rnn.analysis.run_figures import NoFigure, about_run
from relational_rnn.analysis.titles import title_of
from relational_rnn.cli.memories import NUMPY_MODELS, RECORDED, numpy_model
from relational_rnn.config.checks import did_you_mean
from relational_rnn.tasks import entry_of
from relational_rnn.training.answers import answer_text, answers_of, are_right, question_text, some_of
from relational_rnn.training.config import RunConfig
from relational_rnn.training.data import alone, splits_of
from relational_rnn.training.results import RunResult
from relational_rnn.training.run_folder import RunFolder
from relational_rnn.training.weights import Trained, load_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from relational_rnn.analysis.decoding import SlotContents

FORMATS: Final = ("png", "svg", "pdf")
LONGEST = 220
"""Characters of an example that stand above its figure."""


@dataclass(frozen=True)
class FinishedRun:
    """A run's folder, and what is computed from it once for several figures."""

    config: RunConfig[Any]
    folder: RunFolder
    results: RunResult
    example: int = 0
    """Test example that is looked at by itself."""

    def __post_init__(self) -> None:
        """Raise ValueError if there is no such example."""
        count = len(self.test.targets)
        if not 0 <= self.example < count:
            raise ValueError(
                f"example must be from 0 to {count - 1}, one of the run's test examples; got {self.example}"
            )

    @cached_property
    def test(self) -> Any:
        """The test examples of the first seed."""
        return splits_of(alone(self.config, self.config.seed)).test

    @cached_property
    def evaluations(self) -> dict[str, list[dict[str, Any]]]:
        """Training -> the points of its curve."""
        return points_of(self.results, self.folder)

    @cached_property
    def records(self) -> dict[str, list[dict[str, Any]]]:
        """Training -> its lines of metrics.jsonl."""
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in self.evaluations}
        for record in self.folder.records():
            if record.get("model") in found:
                found[record["model"]].append(record)
        return found

    @cached_property
    def trained(self) -> dict[str, Trained]:
        """Model -> it as the first seed of its best training regime left it."""
        models = analysis.selected_only(self.results).models
        return {name: load_weights(self.folder.weights(model.selected[0])) for name, model in models.items()}

    def label(self, model: str) -> str:
        """Return what people read of a model."""
        return self.config.specs[model].label

    @cached_property
    def chosen(self) -> np.ndarray:
        """The test examples whose memories are recorded: some of the most frequent length."""
        values, counts = np.unique(self._lengths, return_counts=True)
        # Steps of padding would be recorded like others.
        return np.flatnonzero(self._lengths == values[counts.argmax()])[:RECORDED]

    @cached_property
    def _lengths(self) -> np.ndarray:
        every = np.full(len(self.test.targets), np.shape(self.test.inputs[:1])[1])
        return np.asarray(getattr(self.test, "lengths", every))

    def inputs(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return test examples of one length, without padding."""
        return np.asarray(self.test.inputs[np.asarray(numbers)])[:, : self._lengths[numbers[0]]]

    def mask(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return where these examples expect an answer, (B, T)."""
        length = self._lengths[numbers[0]]
        if np.ndim(self.test.targets[:1]) > 1:
            return np.asarray(self.test.mask[np.asarray(numbers)])[:, :length]
        mask = np.zeros((len(numbers), length), dtype=bool)
        mask[:, -1] = True
        return mask

    @cached_property
    def memories(self) -> dict[str, analysis.RecordedMemory]:
        """Label -> what a model that has a NumPy twin keeps of the chosen examples."""
        return self._record(self.chosen)

    def _record(self, numbers: Sequence[int] | np.ndarray) -> dict[str, analysis.RecordedMemory]:
        found = {}
        for name, trained in self.trained.items():
            twin = numpy_model(trained) if name in NUMPY_MODELS else None
            if twin is not None:
                found[self.label(name)] = analysis.record_memory(twin, self.inputs(numbers))
        return found

    @property
    def what(self) -> str:
        """What the memories are of, in words."""
        examples = f"{len(self.chosen)} test examples of {self._lengths[self.chosen[0]]} steps"
        return f"{title_of(self.config)}, seed {self.config.seed}, {examples}"

    @cached_property
    def attention(self) -> dict[str, analysis.Attention]:
        """Label -> what a model attends to while it reads the example."""
        found = {
            label: analysis.Attention(one.attention[0])
            for label, one in self._record([self.example]).items()
            if one.attention is not None
        }
        transformer = self.trained.get("transformer")
        if transformer is not None:
            from relational_rnn.training.learners.recording import record_transformer

            weights = record_transformer(transformer.model.core, self.inputs([self.example]))
            found[self.label("transformer")] = analysis.Attention(weights[0], over_steps=True)
        return found

    @cached_property
    def mistakes(self) -> dict[str, dict[str, Any]]:
        """Model -> which test examples of Nth farthest its best training gets wrong."""
        self._need_vectors()
        from relational_rnn.cli.insides import find_mistakes  # needs torch

        return find_mistakes(self.folder, self.results)

    @cached_property
    def insides(self) -> tuple[SlotContents, dict[str, Any]]:
        """What the RMC's slots hold of Nth farthest, and the numbers of slots and attention."""
        self._need_vectors()
        if "rmc" not in self.results.models:
            raise NoFigure("it has no RMC")
        from relational_rnn.cli.insides import look_inside

        weights = self.folder.weights(self.results.models["rmc"].name)
        return look_inside(load_weights(weights).model, self.config)

    def _need_vectors(self) -> None:
        if not self.has_insides:
            raise NoFigure("only runs of nth-farthest with torch have it")

    @property
    def has_insides(self) -> bool:
        """Whether this is a run whose slots can be decoded."""
        return entry_of(self.config.task).name == "nth-farthest" and self.config.runtime.framework == "torch"

    @cached_property
    def one(self) -> Any:
        """A batch of the example alone."""
        return some_of(self.test, np.array([self.example]))

    @cached_property
    def record(self) -> dict[str, Any]:
        """The example as plain values."""
        return entry_of(self.config.task).as_record(self._task, self.one, 0)

    @property
    def _task(self) -> Any:
        return entry_of(self.config.task).at_full_size(self.config.task)

    def example_in_words(self) -> str:
        """Return the example, its right answer, and whether the models that attend have it right."""
        entry, record = entry_of(self.config.task), self.record
        asked = question_text(entry, record).partition("\n\n")[0]
        question = " ".join(asked.split())
        if len(question) > LONGEST:
            question = f"{question[:LONGEST]} ..."
        told = [f"right answer {answer_text(entry, record, record['answer'])}"]
        for name, trained in self.trained.items():
            if self.label(name) in self.attention:
                right = are_right(answers_of(trained, self.one), self.one)[0]
                told.append(f"{self.label(name)} is {'right' if right else 'wrong'}")
        return f"Test example {self.example} of seed {self.config.seed}: {question} ({', '.join(told)})"

    def step_labels(self) -> list[str]:
        """Return what each step of the example shows in a few letters; nothing where that takes more."""
        if hasattr(self.one, "reference"):  # Nth farthest
            return [f"v{label}" for label in self.record["labels"]]
        inputs = self.inputs([self.example])[0]
        words = entry_of(self.config.task).step_words(self.record, inputs)[: len(inputs)]
        return words if len(words) == len(inputs) and max(map(len, words)) <= 2 else []


def _attention(run: FinishedRun) -> Figure:
    if not run.attention:
        raise NoFigure("no model of it has attention that can be recorded")
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
            raise NoFigure(f"no model of it has {lacks}")
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
    """Draw figures of a run into its plots.

    Args:
        run: finished.
        only: their names; all if there are none.
        suffix: of the files, one of `FORMATS`.

    Returns:
        The files; and of the figures that this run cannot have, why not.

    Raises:
        ValueError: an unknown name.
    """
    check_names(only, FIGURES)
    written, absent = [], {}
    for name in only or FIGURES:
        try:
            figure = FIGURES[name](run)
        except NoFigure as reason:
            absent[name] = str(reason)
            continue
        written.append(analysis.save(figure, run.folder.plots / f"{name}.{suffix}"))
    return written, absent
