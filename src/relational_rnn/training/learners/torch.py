"""The torch models of a run and their learner: Adam or SOAP, an average of the weights, any device."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relational_rnn.config.checks import MOST, shortened
from relational_rnn.nn import LanguageModel, SequenceClassifier
from relational_rnn.nn.initialise import start_as_torch_
from relational_rnn.nn.variant import VariantRelationalMemory
from relational_rnn.reference.arrays import Array
from relational_rnn.reference.training import Examples
from relational_rnn.tasks import entry_of
from relational_rnn.tasks.language import cut_offs, read
from relational_rnn.training.arrays_file import check_arrays, with_prefix, without_prefix
from relational_rnn.training.config import RunConfig
from relational_rnn.training.contestants import Contestant
from relational_rnn.training.distributed import ALONE, Team
from relational_rnn.training.files import parse_json
from relational_rnn.training.framework import Framework
from relational_rnn.training.learners.optimisers import averaged, build_optimiser
from relational_rnn.training.matching import smallest_size
from relational_rnn.training.models import LEADER, features_of, matches_state, size_of
from relational_rnn.training.place import place
from relational_rnn.training.processes import peak_memory

CHUNK = 256
"""Examples scored at once."""

CORE_FAULTS: Final = {"tied-mlp": "tied_mlp", "final-relu": "final_relu", "joint-norm": "joint_norm"}
"""Faults of the public ports -> the argument of `nn.variant.VariantRelationalMemory`."""

NORMS: Final[dict[str, dict[str, Any]]] = {
    "authors": {},
    "post": {"qkv_norm": False},
    "pre": {"qkv_norm": False, "block_norms": "pre"},
    "qkv": {"block_norms": "none"},
}
"""Where the layer norms are -> the arguments of `nn.variant.VariantRelationalMemory`."""


Answered = Callable[[], tuple[Tensor, ...]]
"""Says, when the parameters have changed, which answers were right and which sequences are solved; nothing
where that is not told."""


class TorchLearner:
    """A torch model with its optimiser, as the common loop wants them.

    Args:
        model: answers at the steps that are asked for; it is moved to the run's device.
        config: of its training.
    """

    def __init__(self, model: nn.Module, config: RunConfig) -> None:
        self.device = torch.device(config.runtime.device)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()  # of another training in this process
        self.model = model.to(self.device)
        self.max_norm = config.optimisation.clip_norm
        self.twice = config.model.has_fault("double-softmax")
        self.accumulate = config.runtime.accumulate
        self.optimisation = config.optimisation
        self.optimiser = build_optimiser(model, config.optimisation)
        decay = config.optimisation.average_decay
        self.average = averaged(model, decay) if decay else None

    @property
    def counts(self) -> nn.Module:
        """The model that counts: with the moving average of the weights, if there is one."""
        return self.model if self.average is None else self.average.module

    def train_step(self, batch: Examples, learning_rate: float) -> dict[str, float]:
        """Run forward and backward on the answers that count, clip, and change the parameters.

        Raises:
            FloatingPointError: the loss or the gradients are not finite; the parameters stay as they were.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        loss, answered = self.gradients(batch)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.max_norm).item()
        value = loss.item()
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise FloatingPointError(f"training diverged: loss {value}, norm of the gradients {norm}")
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        parts = [torch.cat(part) for part in zip(*(one() for one in answered))]
        return {"loss": value, "grad_norm": norm} | (_shares(*parts) if parts else {})

    def gradients(self, batch: Any) -> tuple[Tensor, list[Answered]]:
        """Leave the gradient of the mean loss over a batch, worked out piece by piece.

        Returns:
            The loss, and of each piece what was answered.
        """
        self.optimiser.zero_grad(set_to_none=True)
        total, answered = torch.zeros((), device=self.device), []
        pieces = self._pieces(batch)
        for number, (rows, share) in enumerate(pieces, 1):
            with self._alone() if number < len(pieces) else nullcontext():
                loss, told = self._loss(batch, rows)
                (loss * share).backward()
            total += loss.detach() * share
            answered.append(told)
        return total, answered

    def _pieces(self, batch: Any) -> list[tuple[slice, float]]:
        """Return the rows of each piece of a batch, and its share of the answers that count."""
        parts = even_parts(len(batch.inputs), self.accumulate)
        if len(parts) == 1:
            return [(parts[0], 1.0)]
        mask = getattr(batch, "mask", None)
        counts = [np.size(batch.targets[rows]) if mask is None else int(mask[rows].sum()) for rows in parts]
        return [(rows, count / sum(counts)) for rows, count in zip(parts, counts) if count]

    def _alone(self) -> AbstractContextManager[None]:
        """Keep gradients from other processes inside this: a piece that is not the last."""
        return nullcontext()

    def _loss(self, batch: Any, rows: slice) -> tuple[Tensor, Answered]:
        """Return the mean loss of the answers that count in some rows, and what was answered."""
        scores, targets, queries = self._answers(self.model, batch, rows)

        def answered() -> tuple[Tensor, ...]:
            right = scores.argmax(1) == targets
            return right, _solved(right, queries)

        return F.cross_entropy(scores.softmax(1) if self.twice else scores, targets), answered

    @torch.no_grad()
    def evaluate(self, examples: Examples) -> dict[str, float]:
        """Return loss, accuracy and sequence accuracy, as `reference.evaluate` does."""
        model = self.counts.eval()
        losses, rights, solved = 0.0, [], []
        for start in range(0, len(examples.inputs), CHUNK):
            scores, targets, queries = self._answers(model, examples, slice(start, start + CHUNK))
            losses += F.cross_entropy(scores, targets, reduction="sum").item()
            rights.append(scores.argmax(1) == targets)
            solved.append(_solved(rights[-1], queries))
        model.train()
        right = torch.cat(rights)
        return {"loss": losses / len(right)} | _shares(right, torch.cat(solved))

    def _answers(
        self, model: nn.Module, batch: Examples, piece: slice = slice(None)
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return scores (K, C) and targets (K,) of the answers that count.

        And which do (B, T); None where each sequence has one answer, after its last step.
        """
        inputs, targets = (
            torch.from_numpy(np.asarray(part[piece])).to(self.device)
            for part in (batch.inputs, batch.targets)
        )
        if targets.ndim == 1:
            return model(inputs), targets, None
        given = getattr(batch, "mask", None)
        mask = (
            torch.ones(targets.shape, dtype=torch.bool) if given is None else torch.from_numpy(given[piece])
        )
        mask = mask.to(self.device)
        return model(inputs, query_mask=mask), targets[mask], mask

    def parameters(self) -> dict[str, Array]:
        """Return copies of those that count."""
        return _copies(dict(self.counts.named_parameters()))

    @torch.no_grad()
    def load_parameters(self, values: Mapping[str, Array]) -> None:
        """Write into the model's tensors, which count from then on."""
        parameters = dict(self.model.named_parameters())
        check_arrays(values, _copies(parameters), finite=False)
        _write(parameters, values)
        self.average = None

    def state(self) -> dict[str, Array]:
        """Return the weights, their average, and the optimiser's state."""
        found = with_prefix("model", _copies(self.model.state_dict()))
        if self.average is not None:
            found |= with_prefix("average", _copies(self.average.state_dict()))
        return found | with_prefix("optimiser", _flat(self.optimiser.state_dict()))

    @torch.no_grad()
    def load_state(self, values: Mapping[str, Array]) -> None:
        """Go back to them.

        Raises:
            ValueError: they are not the model's, its average's and its optimiser's; the message names what
                does not fit.
        """
        model, average = without_prefix("model", values), without_prefix("average", values)
        optimiser = without_prefix("optimiser", values)
        parts = with_prefix("model", model) | with_prefix("optimiser", optimiser)
        check_arrays(values, parts if self.average is None else parts | with_prefix("average", average))
        state = _unflat(optimiser)
        if self.average is not None:
            check_arrays(average, _copies(self.average.state_dict()))
            if average["n_averaged"] < 0:
                raise ValueError(f"n_averaged must be at least 0, got {average['n_averaged']}")
        own = self.optimiser.state_dict()
        check_arrays(model, _copies(self.model.state_dict()))
        _check_same_kind(state, own if state.get("state") == {} else self._state_after_a_step(), "optimiser")
        _write(self.model.state_dict(), model)
        if self.average is not None:
            _write(self.average.state_dict(), average)
        self.optimiser.load_state_dict(state)

    def _state_after_a_step(self) -> dict[str, Any]:
        """Return the state of an optimiser like this one's after a step, for its names, shapes and dtypes."""
        twin = copy.deepcopy(self.model)
        optimiser = build_optimiser(twin, self.optimisation)
        with torch.enable_grad():
            for parameter in twin.parameters():
                parameter.grad = torch.zeros_like(parameter)
            optimiser.step()
        return optimiser.state_dict()


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Array]:
    return {name: value.detach().cpu().numpy().copy() for name, value in tensors.items()}


def _write(tensors: Mapping[str, Tensor], values: Mapping[str, Array]) -> None:
    for name, value in tensors.items():
        value.copy_(torch.from_numpy(np.array(values[name])))


STRUCTURE: Final = "structure"
"""Names the array that holds, as JSON, how the others belong together."""


def _flat(state: Any) -> dict[str, Array]:
    """Turn nested dicts and lists of tensors and plain values into named arrays.

    A tensor's axes are put down in the order of its memory: SOAP's bases are transposed ones, and a product
    with one that is laid out otherwise rounds otherwise.
    """
    arrays: dict[str, Array] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, Tensor):
            name, strides = str(len(arrays)), value.stride()
            axes = sorted(range(value.ndim), key=lambda axis: -strides[axis])
            arrays[name] = value.detach().permute(axes).cpu().numpy().copy()
            return {"tensor": name, "axes": axes}
        if isinstance(value, dict):
            return {"dict": [[key, plain(part)] for key, part in value.items()]}
        return [plain(part) for part in value] if isinstance(value, list | tuple) else value

    text = json.dumps(plain(state))
    return {**arrays, STRUCTURE: np.frombuffer(text.encode(), dtype=np.uint8)}


def _unflat(arrays: Mapping[str, Array]) -> dict[str, Any]:
    """Turn them back; what was a tuple is a list.

    Raises:
        ValueError: they do not belong together.
    """
    text, used = arrays.get(STRUCTURE), {STRUCTURE}
    if text is None or text.dtype != np.uint8:
        raise ValueError(f"optimiser.{STRUCTURE} must be bytes of text")

    def nested(value: Any) -> Any:
        if isinstance(value, list):
            return [nested(part) for part in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"tensor", "axes"}:
            return tensor(value["tensor"], value["axes"])
        pairs = value.get("dict")
        if value.keys() != {"dict"} or not isinstance(pairs, list) or not all(map(_is_pair, pairs)):
            raise ValueError(f"optimiser.{STRUCTURE} holds neither a tensor nor values by name")
        return {key: nested(part) for key, part in pairs}

    def tensor(name: Any, axes: Any) -> Tensor:
        saved = arrays.get(name) if isinstance(name, str) and name not in used else None
        if saved is None:
            raise ValueError(f"optimiser.{STRUCTURE} names a tensor that is missing, or twice")
        used.add(name)
        if not isinstance(axes, list) or any(type(axis) is not int for axis in axes):
            raise ValueError(f"optimiser.{name} must have its axes as whole numbers")
        if sorted(axes) != list(range(saved.ndim)):
            raise ValueError(f"optimiser.{name} cannot have the axes {axes}")
        return torch.from_numpy(saved.copy()).permute([axes.index(axis) for axis in range(saved.ndim)])

    state = nested(parse_json(text.tobytes()))
    if not isinstance(state, dict) or used != arrays.keys():
        raise ValueError(f"optimiser.{STRUCTURE} does not hold all its tensors by name")
    return state


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], int | str)


def _check_same_kind(value: Any, wanted: Any, name: str) -> None:
    """Check that a state can take the place of another one of the same optimiser.

    Tensors have the same shapes and dtypes and are finite, and settings the same values, but for what changes
    from step to step.

    Raises:
        ValueError: it cannot.
    """
    if isinstance(wanted, Tensor):
        if not isinstance(value, Tensor) or (value.shape, value.dtype) != (wanted.shape, wanted.dtype):
            told = f"{value.dtype} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else "none"
            raise ValueError(f"{name} must be {wanted.dtype} of shape {tuple(wanted.shape)}, got {told}")
        if not value.isfinite().all():
            raise ValueError(f"{name} must be finite, it holds NaN or infinity")
    elif isinstance(wanted, dict):
        if not isinstance(value, dict) or value.keys() != wanted.keys():
            raise ValueError(f"{name} must have {', '.join(map(str, wanted))}")
        for key, part in wanted.items():
            _check_same_kind(value[key], part, f"{name}.{key}")
    elif isinstance(wanted, list | tuple):
        if not isinstance(value, list) or len(value) != len(wanted):
            raise ValueError(f"{name} must be a list of {len(wanted)}")
        for number, (one, part) in enumerate(zip(value, wanted)):
            _check_same_kind(one, part, f"{name}.{number}")
    elif name.endswith((".lr", ".step")) and isinstance(wanted, int | float):
        if type(value) is not type(wanted) or not 0 <= value <= MOST:
            raise ValueError(f"{name} must be a number as {wanted}, got {shortened(value)}")
    elif type(value) is not type(wanted) or value != wanted:
        raise ValueError(f"{name} must be {wanted!r}, got {shortened(value)}")


def _solved(right: Tensor, queries: Tensor | None) -> Tensor:
    """Say of each sequence with an answer whether all of them are right.

    Args:
        right: (K,) bool, row after row.
        queries: (B, T) bool with K true; None where each sequence has one.
    """
    if queries is None:
        return right
    wrong = torch.zeros_like(queries)
    wrong[queries] = ~right
    return ~wrong[queries.any(1)].any(1)


def _shares(right: Tensor, solved: Tensor) -> dict[str, float]:
    return {
        "accuracy": right.double().mean().item(),
        "sequence_accuracy": solved.double().mean().item(),
    }


def even_parts(count: int, number: int) -> list[slice]:
    """Cut so many rows into at most so many parts, as even as there can be, none empty.

    Example:
        >>> even_parts(5, 2), even_parts(1, 3)
        ([slice(0, 2, None), slice(2, 5, None)], [slice(0, 1, None)])
    """
    number = min(number, count)
    return [slice(part * count // number, (part + 1) * count // number) for part in range(number)]


def make_learner(model: nn.Module, config: RunConfig, team: Team = ALONE) -> TorchLearner:
    """Return a model with its optimiser."""
    if isinstance(model, LanguageModel):
        from relational_rnn.training.learners.language import LanguageLearner  # which builds on this module

        return LanguageLearner(model, config, team)
    return TorchLearner(model, config)


def build_model(config: RunConfig, contestant: Contestant) -> nn.Module:
    """Build a model in float32; its initial values follow from its seed."""
    name, generator = contestant.model, torch.Generator().manual_seed(contestant.seed)
    size = size_of(config, config.specs[name], lambda opponent: matched_size(config, opponent))
    return _build(config, name, size, contestant.initialisation, generator)


def matched_size(config: RunConfig, name: str) -> int:
    """Return the smallest size with which an opponent has at least the RMC's parameters, or its state."""
    by_state = matches_state(config, name)

    def count(model: str, size: int) -> int:
        built = _build(config, model, size, None, None)
        return count_state(built, features_of(config), model) if by_state else count_parameters(built)

    with torch.device("meta"):
        wanted = count(LEADER, config.model.head_size)
        return smallest_size(lambda size: count(name, size), wanted)


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers training changes."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_state(model: nn.Module, features: int, name: str) -> int:
    """Return how many numbers the core of a model keeps from step to step, after the first.

    Raises:
        ValueError: the core hands out no state.
    """
    state = state_size(model, features, 1)
    if state is None:
        raise ValueError(f"match='state' needs a core that hands out its state; {name} does not")
    return state


def state_size(model: Any, features: int, steps: int) -> int | None:
    """Return how many numbers the core keeps from step to step, after `steps`; None if it hands out none.

    Example:
        >>> from relational_rnn.nn import LSTM
        >>> state_size(nn.ModuleDict({"core": LSTM(3, 5, batch_first=True)}), 3, 7)
        10
    """
    parameter = next(model.parameters())
    with torch.no_grad():
        _, state = model.core(parameter.new_zeros(1, steps, features))
    parts = [state] if isinstance(state, Tensor) else state
    if not isinstance(parts, Sequence) or not all(isinstance(part, Tensor) for part in parts):
        return None
    return sum(part.numel() for part in parts if part.is_floating_point())


def _build(
    config: RunConfig,
    name: str,
    size: int,
    initialisation: str | None,
    generator: torch.Generator | None,
) -> nn.Module:
    spec, model, features = config.specs[name], config.model, features_of(config)
    kind = spec.core("torch")
    if callable(spec.torch):
        core: nn.Module = kind(features, size)
    else:
        options = {spec.size: size, **spec.options(model), "batch_first": True, "generator": generator}
        chosen = config.overrides_of(name)
        options |= {argument: chosen[argument] for argument in spec.choices if argument in chosen}
        otherwise: dict[str, Any] = {}
        if name == LEADER:
            faults = {argument: True for fault, argument in CORE_FAULTS.items() if model.has_fault(fault)}
            otherwise = faults | NORMS[model.layer_norm_placement]
            if model.compute_dtype == "bfloat16":
                options["compute_dtype"] = torch.bfloat16
        if spec.takes_initialisation and initialisation is not None:
            options["initialisation"] = initialisation
        core = (
            VariantRelationalMemory(features, **options, **otherwise)
            if otherwise
            else kind(features, **options)
        )
        if initialisation == "torch" and not spec.takes_initialisation:
            start_as_torch_(core, generator)
    if entry_of(config.task).tokens:
        return LanguageModel(
            core,
            config.task.classes,
            model.embedding_size,
            tied=model.tied_embeddings,
            cut_offs=cut_offs(read(config.task).vocabulary.counts) if model.adaptive_softmax else (),
            input_dropout=model.input_dropout,
            output_dropout=model.output_dropout,
            head_layers=model.head_layers,
            head_units=model.head_units,
            head_activation=model.head_activation,
            generator=generator,
        )
    return SequenceClassifier(
        core,
        config.task.classes,
        model.head_layers,
        model.head_units,
        head_activation=model.head_activation,
        generator=generator,
    )


@torch.no_grad()
def predict(model: nn.Module, inputs: Array, every_step: bool) -> Array:
    """Return the most likely class of sequences (B, T, F): at each step (B, T), or after the last (B,).

    Of a text's tokens (B, T), each sequence with a memory that starts anew, the most likely next ones.
    """
    device = next(model.parameters()).device
    model.eval()
    found = []
    for piece in torch.from_numpy(inputs).split(CHUNK):
        if isinstance(model, LanguageModel):
            found.append(model.log_probabilities(model(piece.to(device))[0]).argmax(-1).cpu())
            continue
        queries = torch.ones(piece.shape[:2], dtype=torch.bool, device=device) if every_step else None
        found.append(model(piece.to(device), query_mask=queries).argmax(1).cpu())
    model.train()
    classes: Array = torch.cat(found).view(inputs.shape[:2] if every_step else (-1,)).numpy()
    return classes


@contextmanager
def limit_threads(count: int) -> Iterator[None]:
    """Give torch so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_device(device: str) -> None:
    """Check that a device is there.

    Raises:
        ValueError: it is not.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device 'cuda' needs an NVIDIA GPU, and torch {torch.__version__} finds none here")


def check(config: RunConfig) -> None:
    """Check that the device is there, one for each process of torchrun.

    Raises:
        ValueError: it is not.
    """
    if config.runtime.device != "cuda":
        return
    check_device(config.runtime.device)
    own, here = place(), torch.cuda.device_count()
    if own is not None and own.local_size > here:
        raise ValueError(f"torchrun started {own.local_size} processes here; with GPUs at most {here} can be")


def most_memory(device: str) -> int | None:
    """Return the most bytes that this process has used, on a GPU those of torch's tensors."""
    return torch.cuda.max_memory_allocated() if device == "cuda" else peak_memory()


@torch.no_grad()
def load_arrays(model: nn.Module, values: Mapping[str, Array]) -> None:
    """Give a model these weights.

    Raises:
        ValueError: see `check_arrays`.
    """
    tensors = model.state_dict()
    check_arrays(values, _copies(tensors))
    _write(tensors, values)


def generate(*arguments: Any, **options: Any) -> Iterator[str]:
    """Yield the text that a language model writes; see `training.learners.generation.generate`."""
    from relational_rnn.training.learners import generation  # which builds on this module

    return generation.generate(*arguments, **options)


TORCH = Framework(
    name="torch",
    check=check,
    build=build_model,
    matched_size=matched_size,
    count_parameters=count_parameters,
    state_size=state_size,
    learner=make_learner,
    arrays=lambda model: _copies(model.state_dict()),
    load_arrays=load_arrays,
    predict=predict,
    generate=generate,
    limit_threads=limit_threads,
    peak_memory=most_memory,
)
