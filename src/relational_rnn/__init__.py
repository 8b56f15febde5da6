"""The relational recurrent network (Santoro et al. 2018, arXiv 1806.01822) as a library.

Importing the package costs nothing and needs no torch: take what you need from its rooms, for example
`from relational_rnn.nn import RelationalMemory` (PyTorch) or
`from relational_rnn.reference import RelationalMemory` (NumPy). `load` brings back what a run has trained;
`relational_rnn.experiments` trains and compares tasks and models, your own too.
"""

from __future__ import annotations

import pkgutil
import re
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from pathlib import Path

    from relational_rnn.training.weights import Trained

__version__ = "0.1.0"


if not TYPE_CHECKING:  # to a type checker it would say that every name is here

    def __getattr__(name: str) -> NoReturn:
        """Say which room has a name that is not here: `from relational_rnn import RelationalRNN`.

        Raises:
            ImportError: a public name of a room; `import` lets the message of no other error through.
            AttributeError: any other name.
        """
        if not name.startswith("_"):
            rooms = [room for room in ("nn", "reference", "tasks", "experiments") if name in _public(room)]
            if rooms:
                ways = " or ".join(f"from relational_rnn.{room} import {name}" for room in rooms)
                told = " (nn: PyTorch, reference: NumPy)" if {"nn", "reference"} <= {*rooms} else ""
                raise ImportError(f"cannot import name {name!r} from 'relational_rnn'; {ways}{told}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _public(room: str) -> set[str]:
    """Return the names in a room's `__all__`, read without importing it: some rooms need torch."""
    source = pkgutil.get_data(__name__, f"{room}/__init__.py") or b""
    return set(re.findall(r'"(\w+)"', source.decode().partition("__all__ = [")[2]))


def load(
    source: str | Path,
    model: str | None = None,
    seed: int | None = None,
    *,
    task: Any = None,
    models: Any = None,
) -> Trained:
    """Load a trained model, of whatever task and framework.

    Args:
        source: the folder of a run, a weights file (.safetensors), or weights of the package, as in
            "pretrained:nth-farthest-8x16".
        model: its name in the run, such as "rmc"; None where there is only one.
        seed: of the training; None for the best.
        task: of the run, if it is a task of your own; the package's are found by their names.
        models: of the run, if it has models of your own: the same name -> factory that trained them.

    Returns:
        `model` (a torch `nn.SequenceClassifier` in eval mode, or a NumPy `reference.Classifier`), `config`
        (the run's `RunConfig`), `contestant` (its training in the run) and `predict(inputs, every_step)`.

    Raises:
        ValueError: nothing to load there, no such model or seed, or several models and none is named.
        ModuleNotFoundError: a torch model where torch is absent.

    Example:
        >>> trained = load("pretrained:nth-farthest-8x16")  # doctest: +SKIP
        >>> trained.config.task.objects, trained.model.core.mem_slots  # doctest: +SKIP
        (8, 8)
    """
    from relational_rnn.training.models import added_models, specs_of
    from relational_rnn.training.weights import find_trained

    with added_models(specs_of(models)):
        return find_trained(source, model, seed, task)
