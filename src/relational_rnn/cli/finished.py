"""A finished run: its folder, and what is computed from it once for figures, report and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relational_rnn import analysis
from relational_rnn.analysis.run_curves import points_of
from relational_rnn.analysis.run_figures import NoFigure
from relational_rnn.analysis.titles import title_of
from relational_rnn.cli.memories import NUMPY_MODELS, RECORDED, numpy_model
from relational_rnn.config.checks import BadFile, check_size
from relational_rnn.config.paths import in_words
from relational_rnn.tasks import entry_of, find_task
from relational_rnn.tasks.game_registry import game_of
from relational_rnn.training.answers import answer_text, answers_of, are_right, question_text, some_of
from relational_rnn.training.config import RunConfig
from relational_rnn.training.data import alone, splits_of
from relational_rnn.training.results import REMEDY, RunResult, read_results
from relational_rnn.training.run_folder import CONFIG_REMEDY, RunFolder, config_from
from relational_rnn.training.weights import Trained, load_training

if TYPE_CHECKING:
    from relational_rnn.analysis.decoding import SlotContents
    from relational_rnn.reference import Classifier

LONGEST = 220
"""Characters of an example that stand above its figure."""


@dataclass(frozen=True)
class FinishedRun:
    """A run's folder, and what is computed from it once for several figures."""

    config: RunConfig
    folder: RunFolder
    results: RunResult
    example: int = 0
    """Test example that is looked at by itself."""
    loaded: dict[str, Trained] = field(default_factory=dict)
    """Training -> its model, of those that were asked for and can be had."""
    missing: dict[str, str] = field(default_factory=dict)
    """Training -> what it is and why it could not be loaded, of those that were asked for."""

    def check_example(self) -> None:
        """Raise ValueError if there is no such example."""
        if self.example and self.without_examples:
            raise ValueError(f"there is no example {self.example}: {self.without_examples}")
        if not self.without_examples:
            check_size("example", self.example, minimum=0, maximum=len(self.test.targets) - 1)

    @cached_property
    def test(self) -> Any:
        """The test examples of the first seed."""
        return splits_of(alone(self.config, self.config.seed)).test

    @cached_property
    def without_examples(self) -> str:
        """Why there are no test examples: the files of the task are elsewhere. Empty if there are."""
        try:
            self.test  # noqa: B018
        except BadFile:
            raise
        except (OSError, ValueError) as error:
            if not entry_of(self.config.task).from_files:
                raise
            return f"the test examples cannot be read: {in_words(error)}"
        return ""

    @cached_property
    def selected(self) -> RunResult:
        """The results with only the trainings that count."""
        return analysis.selected_only(self.results)

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
        """Model -> it as the first seed of its best training regime left it, of those that can be had."""
        return self._load({name: model.selected[0] for name, model in self.results.models.items()})

    @cached_property
    def best(self) -> dict[str, Trained]:
        """Model -> its best training, of those that can be had."""
        return self._load({name: model.name for name, model in self.results.models.items()})

    def _load(self, trainings: Mapping[str, str]) -> dict[str, Trained]:
        """Load a training of each model; note which cannot be had.

        Raises:
            BadFile: a file of weights is damaged, or of another training.
        """
        found: dict[str, Trained] = {}
        if self.without_examples:  # then nothing can be asked, and models of such tasks cannot be built
            return found
        for model, training in trainings.items():
            if training in self.loaded:
                found[model] = self.loaded[training]
            elif not self.folder.weights(training).exists():
                told = f"{self.label(model)}, whose weights ({self.folder.weights(training).name}) are gone"
                self.missing[training] = told
            else:
                try:
                    found[model] = self.loaded[training] = load_training(self.folder, self.config, training)
                except ModuleNotFoundError as error:
                    if error.name != "torch":
                        raise
                    told = f"{self.label(model)}, which needs torch, and that is not installed here"
                    self.missing[training] = told
        return found

    @property
    def left_out(self) -> str:
        """What could not be looked into and why, in a sentence; empty if nothing was left out."""
        if self.without_examples:
            return f"What the models do is left out: {self.without_examples}."
        if not self.missing:
            return ""
        return f"What these do is left out: {'; '.join(dict.fromkeys(self.missing.values()))}."

    def lacks(self, what: str) -> NoFigure:
        """Return that no model has what a figure shows; `left_out` tells which were not loaded."""
        some = "model that could be loaded" if self.left_out else "model of it"
        return NoFigure(f"no {some} has {what}")

    @cached_property
    def twins(self) -> dict[str, Classifier]:
        """Model -> it in NumPy, of those whose memories can be recorded; none reads tokens."""
        if self.of_tokens:
            return {}
        named = {name: numpy_model(one) for name, one in self.trained.items() if name in NUMPY_MODELS}
        return {name: twin for name, twin in named.items() if twin is not None}

    @property
    def of_tokens(self) -> bool:
        """Whether the models read tokens."""
        return entry_of(self.config.task).tokens

    def label(self, model: str) -> str:
        """Return what people read of a model."""
        return self.config.specs[model].label

    @cached_property
    def chosen(self) -> np.ndarray:
        """The test examples whose memories are recorded: some of the most frequent length."""
        return of_one_length(self._lengths, RECORDED)

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
        return {
            self.label(name): analysis.record_memory(twin, self.inputs(numbers))
            for name, twin in self.twins.items()
        }

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
        transformer = None if self.of_tokens else self.trained.get("transformer")
        if transformer is not None:
            from relational_rnn.training.learners.recording import record_transformer

            weights = record_transformer(transformer.model.core, self.inputs([self.example]))
            found[self.label("transformer")] = analysis.Attention(weights[0], over_steps=True)
        return found

    @cached_property
    def mistakes(self) -> dict[str, dict[str, Any]]:
        """Model -> which test examples of Nth farthest its best training gets wrong."""
        self._need_vectors()
        from relational_rnn.cli.insides import mistakes_of  # needs torch

        if not self.best:
            raise self.lacks("mistakes that can be looked at")
        return {name: {"label": one.contestant.label, **mistakes_of(one)} for name, one in self.best.items()}

    @cached_property
    def insides(self) -> tuple[SlotContents, dict[str, Any]]:
        """What the RMC's slots hold of Nth farthest, and the numbers of slots and attention."""
        self._need_vectors()
        if "rmc" not in self.results.models:
            raise NoFigure("it has no RMC")
        from relational_rnn.cli.insides import look_inside

        if "rmc" not in self.best:
            raise self.lacks("slots that can be decoded")
        return look_inside(self.best["rmc"].model, self.config)

    def _need_vectors(self) -> None:
        if not self.has_insides:
            raise NoFigure("only runs of nth-farthest with torch have it")

    @property
    def has_insides(self) -> bool:
        """Whether this is a run whose slots can be decoded."""
        return entry_of(self.config.task).vectors and self.config.runtime.framework == "torch"

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


def of_one_length(lengths: np.ndarray, most: int) -> np.ndarray:
    """Return examples of the most frequent length: steps of padding would be recorded like others.

    Example:
        >>> of_one_length(np.array([3, 5, 5, 3, 5]), most=2).tolist()
        [1, 2]
    """
    values, counts = np.unique(lengths, return_counts=True)
    return np.flatnonzero(lengths == values[counts.argmax()])[:most]


def is_of_agents(folder: RunFolder) -> bool:
    """Return whether a folder holds a run of agents.

    Raises:
        ValueError: it holds no run.
        BadFile: its config.json is damaged.
    """
    return game_of(folder.require()["command"]) is not None


def read_run(path: Path, example: int = 0) -> FinishedRun:
    """Read what a finished run left behind.

    Args:
        path: folder of the run.
        example: test example to look at by itself.

    Raises:
        ValueError: no run, one that is not finished, or one of another command.
        BadFile: a file of it is damaged.
    """
    folder = RunFolder(path)
    recorded = folder.require()
    command, *task = recorded["command"].split()
    if command != "train":
        raise ValueError(
            f"{path} holds a run of `{recorded['command']}`, which writes its own report.html; report takes "
            f"runs of `train`, such as those in {path / ('trials' if '--trials' in task else 'runs')}"
        )
    if is_of_agents(folder):
        raise ValueError(f"{path} holds agents of a game: watch them with relational-rnn play {path}")
    folder.require_results()
    results = read_results(folder.results)
    try:
        config = config_from(find_task(task[0] if task else ""), recorded["config"])
    except ValueError as error:
        raise BadFile(folder.config, f"does not hold the settings of a run: {error}", CONFIG_REMEDY) from None
    there = results.task, results.seed, results.seeds, tuple(results.models)
    here = entry_of(config.task).name, config.seed, config.seeds, config.model.models
    if there != here:
        raise BadFile(
            folder.results, f"is of another run than config.json ({there} there, {here} here)", REMEDY
        )
    return FinishedRun(config, folder, results, example)
