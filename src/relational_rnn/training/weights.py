"""Trained models on disk: weights as safetensors, with what it takes to build the model beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relational_rnn.config.checks import BadFile, check_choice, check_seed, shortened
from relational_rnn.reference.arrays import Array
from relational_rnn.tasks import TaskEntry, entry_of, find_task
from relational_rnn.tasks.language import read
from relational_rnn.tasks.language.vocabulary import Vocabulary
from relational_rnn.training.arrays_file import load_arrays, load_notes, save_arrays
from relational_rnn.training.config import FREE, RunConfig, with_values
from relational_rnn.training.contestants import Contestant
from relational_rnn.training.decode import decode
from relational_rnn.training.examples_file import find_weights
from relational_rnn.training.framework import Framework, framework_of
from relational_rnn.training.models import MODELS
from relational_rnn.training.results import read_results
from relational_rnn.training.run_folder import RunFolder, config_from, leaves_of


def remedy_of(path: Path) -> str:
    """Return what helps against a damaged file of weights: a run's own are written again, others are not."""
    own = RunFolder(path.parent.parent)
    if own.config.exists() and path == own.weights(path.stem):
        return "remove it: --resume writes a run's weights again"
    return ""


@dataclass(frozen=True)
class Trained:
    """A trained model and where it comes from."""

    model: Any
    """A torch `SequenceClassifier` or `LanguageModel`, or a NumPy `Classifier`."""
    config: RunConfig
    """Of its run."""
    contestant: Contestant
    """Its training in that run."""

    @property
    def framework(self) -> Framework:
        """What trained it."""
        return framework_of(self.config.runtime.framework)

    @property
    def task(self) -> Any:
        """Its task, as it is scored."""
        return entry_of(self.config.task).at_full_size(self.config.task)

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens of a language model, by number.

        Raises:
            ValueError: the model is of another task.
        """
        entry = entry_of(self.config.task)
        if not entry.tokens:
            raise ValueError(f"only models of language have a vocabulary; this one is of {entry.name}")
        return read(self.config.task).vocabulary

    def stream(
        self,
        prompt: str = "",
        *,
        max_tokens: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        seed: int | None = None,
        state: Path | str | None = None,
    ) -> Iterator[str]:
        """Yield the text that a language model writes after a prompt, piece by piece.

        The tokens of characters, bytes and sub-words come as they are drawn, words with a space before them;
        `<unk>` is never drawn. What the model keeps is of one size, and a token takes the same time, however
        long the text.

        Args:
            prompt: what the text begins with, which is not yielded; without it a line begins.
            max_tokens: how many tokens to write.
            temperature: above 0; below 1 likely tokens become likelier.
            top_k: draw from so many of the likeliest tokens; None for all.
            top_p: draw from the fewest likeliest tokens that have this share of the probability.
            seed: of the draws; None for 0, or for where `state` was.
            state: file (.safetensors) to go on from, if it is there; it gets where the text ends.

        Raises:
            ValueError: the model is of another task, a number is out of range, the prompt has characters that
                are not in the vocabulary, or `state` is another model's (`BadFile`).

        Example:
            >>> trained = find_trained("runs/shakespeare", "rmc")  # doctest: +SKIP
            >>> print(*trained.stream("ROMEO:", temperature=0.8), sep="")  # doctest: +SKIP
        """
        entry, write = entry_of(self.config.task), self.framework.generate
        if not entry.tokens or write is None:
            raise ValueError(f"only models of language write text; this one is of {entry.name}")
        return write(
            self,
            prompt,
            max_tokens=max_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            state=state,
        )

    def generate(self, prompt: str = "", **options: Any) -> str:
        """Return the text that a language model writes after a prompt; `stream` has the options.

        Example:
            >>> find_trained("runs/shakespeare", "rmc").generate("ROMEO:", max_tokens=80)  # doctest: +SKIP
        """
        return "".join(self.stream(prompt, **options))

    def predict(self, inputs: Array, every_step: bool) -> Array:
        """Return the most likely classes of sequences (B, T, F): (B, T) at every step, else (B,)."""
        return self.framework.predict(self.model, inputs, every_step)


def save_weights(
    path: Path, framework: Framework, model: Any, config: RunConfig, contestant: Contestant
) -> None:
    """Write a model's weights, atomically."""
    notes = {
        "task": entry_of(config.task).name,
        "config": dataclasses.asdict(config),
        "contestant": dataclasses.asdict(contestant),
    }
    save_arrays(path, framework.arrays(model), notes)


def load_weights(path: Path, compute_dtype: str | None = None, task: Any = None) -> Trained:
    """Build the model of a file that `save_weights` wrote.

    Args:
        path: the file.
        compute_dtype: of an RMC's matrix products; None for that of its training.
        task: of the training, if it is one of one's own; None finds it by its name.

    Raises:
        BadFile: the file is no such file, or its weights are not its model's.
        ValueError: it is of another task than `task`, or cannot have `compute_dtype`.
    """
    values, config, contestant = read_weights(path, task)
    if compute_dtype is not None:
        config = with_values(config, {"compute_dtype": compute_dtype})
    framework = framework_of(config.runtime.framework)
    own = config.of(contestant.model)
    try:
        check_fits(own, contestant.model, sum(value.size for value in values.values()))
        model = framework.build(own, contestant)
        framework.load_arrays(model, values)
    except (ValueError, MemoryError) as error:
        raise BadFile(path, f"does not hold the weights of its model: {error}", remedy_of(path)) from None
    if hasattr(model, "eval"):
        model.eval()
    return Trained(model, config, contestant)


def read_weights(path: Path, task: Any = None) -> tuple[dict[str, Array], RunConfig, Contestant]:
    """Read a file that `save_weights` wrote, without the framework that trained it.

    Args:
        path: the file.
        task: of the training, if it is one of one's own; None finds it by its name.

    Returns:
        Its arrays by name, the configuration of its run, and its training in that run.

    Raises:
        BadFile: the file is no such file.
        ValueError: it is of another task than `task`, or of a model that is not known here.
    """
    values, notes = load_arrays(path, remedy_of(path))
    if "game" in notes:
        run = path.parent.parent if path.parent.name == "checkpoints" else "RUN"
        raise ValueError(
            f"{path} holds an agent of a game: relational-rnn play {run} --score says what it scores, "
            "without --score it plays"
        )
    if not {"task", "config", "contestant"} <= notes.keys():
        raise BadFile(
            path, f"holds no model of a run: its notes are {', '.join(notes) or 'none'}", remedy_of(path)
        )
    of = notes["contestant"].get("model") if isinstance(notes["contestant"], dict) else None
    if isinstance(of, str) and of not in MODELS:
        raise ValueError(
            f"{path} is of the model {shortened(of)}, which is none of the package's; if it is your own, "
            f"say how it is built: models={{{of!r}: FACTORY}}"
        )
    try:
        entry = find_task(notes["task"]) if task is None else entry_of(task)
        config, contestant = _described(entry, notes)
        kept = RunFolder(path.parent.parent).kept
        if kept.exists():
            config = dataclasses.replace(config, task=entry.with_kept(config.task, kept))
    except ValueError as error:
        raise BadFile(path, f"does not tell how to build its model: {error}", remedy_of(path)) from None
    if entry.name != notes["task"]:
        raise ValueError(f"{path} is of the task {notes['task']!r}, got one named {entry.name!r}")
    return values, config, contestant


def _described(entry: TaskEntry, notes: Mapping[str, Any]) -> tuple[RunConfig, Contestant]:
    """Return the configuration and the training that a file's notes tell of.

    Raises:
        ValueError: they tell of none.
    """
    contestant = decode(Contestant, notes["contestant"], "contestant")
    config = config_from(entry, _without_unknown_models(notes["config"]))
    check_seed("contestant.seed", contestant.seed)
    spec = config.specs[contestant.model]  # `read_weights` has looked for it
    starts = contestant.initialisation.split("+")
    for start in starts:
        check_choice("contestant.initialisation", start, spec.initialisations)
    return config, contestant


def _without_unknown_models(values: Any) -> Any:
    """Return a configuration as its file has it, without models that are not known here.

    A run may have had models of somebody's own; the package's own ones of it are loaded without them.
    """
    part = values.get("model") if isinstance(values, dict) else None
    names = part.get("models") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(names, list):
        return values  # `config_from` says what is wrong
    unknown = [name for name in names if isinstance(name, str) and name not in MODELS]
    if not unknown:
        return values
    words = part.get("overrides")
    if isinstance(words, list):
        theirs = tuple(f"{name}." for name in unknown)
        part = {**part, "overrides": [word for word in words if not str(word).startswith(theirs)]}
    return {**values, "model": {**part, "models": [name for name in names if name not in unknown]}}


def check_fits(config: RunConfig, name: str, numbers: int) -> None:
    """Check, before a model is built, that a file with so many numbers can have its weights.

    Args:
        config: of the model's training alone.
        name: of the model.
        numbers: in the file.

    Raises:
        ValueError: the configuration asks for a far larger model.
    """
    if callable(config.specs[name].torch):  # of one's own, whose parameters may be anything
        return
    model = config.model
    width = config.overrides_of(name).get("size", model.head_size * model.num_heads)
    hidden = (
        max(0, model.head_layers - 1) * model.head_units**2 + min(1, model.head_layers) * model.head_units
    )
    if width**2 + hidden > numbers:
        raise ValueError(f"its {numbers:,} numbers are too few for the sizes of the model")


def find_trained(
    path: str | Path, model: str | None = None, seed: int | None = None, task: Any = None
) -> Trained:
    """Load a trained model of a run; `weights_of` says which.

    Args:
        path: the folder of a run, a weights file, or `pretrained:NAME`.
        model: its name in the run; None where there is only one.
        seed: of the training; None for the best.
        task: of the run, if it is one of one's own.

    Raises:
        ValueError: no run or weights there, no such model or seed, or several models and none is named.
    """
    return load_weights(weights_of(path, model, seed), task=task)


def weights_of(path: str | Path, model: str | None = None, seed: int | None = None) -> Path:
    """Return the weights file of a model of a run.

    Args:
        path: the folder of a run, a weights file, or `pretrained:NAME`.
        model: its name in the run; None where there is only one. Of a model with several training regimes
            the best training counts.
        seed: of the training; None for the best.

    Raises:
        ValueError: no run or weights there, no such model or seed, or several models and none is named.
    """
    files = find_weights(Path(path))
    if len(files) == 1 and not Path(path).is_dir():
        if seed is not None:
            raise ValueError(
                f"{path} is one training: a seed chooses among those of a run's folder; leave it out"
            )
        return files[0]
    folder = RunFolder(Path(path))
    folder.require_results()
    results = read_results(folder.results).models
    if model is None and len(results) > 1:
        raise ValueError(f"which model? {path} has {', '.join(results)}")
    chosen = results[check_choice("model", next(iter(results), "") if model is None else model, results)]
    seeds = {name.rpartition("-")[2]: name for name in chosen.selected}
    if seed is not None and str(seed) not in seeds:
        raise ValueError(f"{path} has {model} with the seeds {', '.join(seeds)}; got {seed}")
    name = chosen.name if seed is None else seeds[str(seed)]
    file = folder.weights(name)
    there = load_notes(file, remedy_of(file)).get("contestant")
    _check_training(file, there.get("name") if isinstance(there, dict) else None, name)
    return file


def load_training(folder: RunFolder, config: RunConfig, name: str) -> Trained:
    """Load a training of a run, if it is what its file holds.

    Args:
        folder: of the run.
        config: of the run.
        name: of the training.

    Raises:
        BadFile: the file is damaged, or of another training, or of a run with other settings.
    """
    path = folder.weights(name)
    trained = load_weights(path)
    _check_training(path, trained.contestant.name, name)
    there, here = leaves_of(trained.config), leaves_of(config)
    changed = [key for key in here if key not in FREE and there.get(key) != here[key]]
    if entry_of(trained.config.task).name != entry_of(config.task).name or changed:
        told = ", ".join(f"{key}: {there.get(key)!r} there, {here[key]!r} here" for key in changed[:3])
        raise BadFile(path, f"holds weights of another run ({told or 'of another task'})", remedy_of(path))
    return trained


def _check_training(path: Path, there: Any, name: str) -> None:
    """Check that weights are of the training whose name their file has.

    Raises:
        BadFile: they are not.
    """
    if there != name:
        raise BadFile(path, f"holds the weights of {shortened(there)}, not of {name}", remedy_of(path))
