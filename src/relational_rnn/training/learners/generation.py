"""A trained language model that writes: text piece by piece, from a state of one size, which can be kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

from relational_rnn.config.checks import BadFile, check_seed, check_size
from relational_rnn.nn.language_model import LanguageModel
from relational_rnn.nn.sampling import check_sampling, draw_token
from relational_rnn.reference.arrays import Array
from relational_rnn.tasks.language.source import Piece
from relational_rnn.tasks.language.task import read
from relational_rnn.tasks.language.vocabulary import END, Spelling
from relational_rnn.training.arrays_file import check_arrays, load_arrays, save_arrays
from relational_rnn.training.learners.language import memory_arrays, memory_from, state_after_a_step

if TYPE_CHECKING:
    from relational_rnn.training.weights import Trained

PROMPT: Final = 1_024
"""Tokens of a prompt that are read at once."""


class Writer:
    """A language model in the middle of a text: what it keeps is of one size, however long the text.

    Of a model that carries its memory, that and the tokens it has yet to read. Of a Transformer the tokens of
    its context: when they are more than in training, the older half is let go and the rest read anew, so
    that a token takes the same time on average.

    Args:
        model: in eval mode.
        context: most tokens that a model without a memory to carry looks back on; None for one with.
    """

    def __init__(self, model: LanguageModel, context: int | None = None) -> None:
        self.model, self.context = model, context
        self.memory: Any = None
        self.tokens: list[int] = []
        self._known = 0  # of the tokens, that the memory has read

    @torch.no_grad()
    def log_probabilities(self) -> Tensor:
        """Read the tokens that are new; return log p of the next one (V,), on the CPU."""
        if self.context is not None and len(self.tokens) > self.context:
            self.tokens = self.tokens[-max(1, self.context // 2) :]
            self.memory, self._known = None, 0
        device = self.model.embedding.weight.device
        new = torch.tensor([self.tokens[self._known :]], device=device)
        for piece in new.split(PROMPT, 1):
            features, self.memory = self.model(piece, self.memory)
        self._known = len(self.tokens)
        if self.context is None:
            self.tokens, self._known = [], 0
        found: Tensor = self.model.log_probabilities(features[0, -1]).cpu()
        return found

    def arrays(self) -> dict[str, Array]:
        """Return what it keeps."""
        return memory_arrays(self.memory if self.context is None else None) | {
            "tokens": np.array(self.tokens, dtype=np.int64)
        }

    @torch.no_grad()
    def restore(self, arrays: dict[str, Array]) -> None:
        """Go back to it.

        Raises:
            ValueError: it is another model's.
        """
        given = dict(arrays)
        tokens = given.pop("tokens", None)
        if tokens is None or tokens.dtype != np.int64 or tokens.ndim != 1 or not len(tokens):
            raise ValueError("it has no tokens to go on from")
        if tokens.min() < 0 or tokens.max() >= self.model.vocabulary:
            raise ValueError(f"its tokens must be from 0 to {self.model.vocabulary - 1}")
        self.tokens, self.memory, self._known = tokens.tolist(), None, 0
        if given:
            self.memory = memory_from(given, state_after_a_step(self.model, 1))


def generate(
    trained: Trained,
    prompt: str = "",
    *,
    max_tokens: int = 200,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    seed: int | None = None,
    state: Path | str | None = None,
) -> Iterator[str]:
    """Yield the text that a model writes after a prompt, as it comes; see `Trained.stream`."""
    model: LanguageModel = trained.model
    vocabulary = read(trained.config.task).vocabulary
    check_size("max_tokens", max_tokens, minimum=0)
    check_sampling(temperature, top_k, top_p, len(vocabulary))
    generator = torch.Generator().manual_seed(check_seed("seed", 0 if seed is None else seed))
    spec = trained.config.specs[trained.contestant.model]
    writer = Writer(model, None if spec.carries else trained.config.task.window)
    spelling = Spelling(vocabulary)
    file, mark = (None if state is None else Path(state)), _mark(model)
    if file is not None and file.exists():
        _go_back(file, writer, generator if seed is None else None, mark)
        spelling.goes_on(writer.tokens[-1])
    strange = vocabulary.unknowns(prompt) if vocabulary.units == "characters" else []
    if strange:
        told = ", ".join(map(repr, strange[:5]))
        raise ValueError(f"prompt has characters that are not in the vocabulary: {told}")
    told_to = vocabulary.encode(Piece(prompt, len(prompt.encode()), False)).tolist()
    writer.tokens += told_to or ([] if writer.tokens else [_begin(vocabulary)])
    if told_to:
        spelling.goes_on(told_to[-1])

    def write() -> Iterator[str]:
        for _ in range(max_tokens):
            scores = writer.log_probabilities()
            if vocabulary.unknown is not None:
                scores[vocabulary.unknown] = -torch.inf
            token = draw_token(scores, temperature=temperature, top_k=top_k, top_p=top_p, generator=generator)
            writer.tokens.append(token)
            piece = spelling.spell(token)
            if piece:
                yield piece
        if file is not None:
            drawn = {"generator": generator.get_state().numpy().copy()}
            save_arrays(file, writer.arrays() | drawn, {"model": mark})
        if rest := spelling.rest():
            yield rest

    return write()


def _begin(vocabulary: Any) -> int:
    """Return what comes before a text that begins: the end of a line, where there is such a token."""
    if vocabulary.units == "words":
        return int(vocabulary.number_of[END])
    encoded: Sequence[int] = vocabulary.encode(Piece("\n", 1, False)).tolist()
    return 0 if encoded[-1] == vocabulary.unknown else encoded[-1]


def _mark(model: LanguageModel) -> str:
    """Return what tells a model from others: a hash of its weights."""
    found = hashlib.sha256()
    for name, value in model.state_dict().items():
        found.update(name.encode() + value.cpu().numpy().tobytes())
    return found.hexdigest()[:16]


def _go_back(file: Path, writer: Writer, generator: torch.Generator | None, mark: str) -> None:
    """Go on from a file of a state.

    Raises:
        BadFile: it is no such file, or another model's.
    """
    arrays, notes = load_arrays(file, "name another file")
    if notes.get("model") != mark:
        raise BadFile(file, "holds the state of another model, or none", "name another file")
    drawn = arrays.pop("generator", None)
    try:
        writer.restore(arrays)
        if generator is not None:
            check_arrays({"generator": np.asarray(drawn)}, {"generator": generator.get_state().numpy()})
            generator.set_state(torch.from_numpy(np.array(drawn)))
    except ValueError as error:
        raise BadFile(file, f"holds no state of this model: {error}", "name another file") from None
