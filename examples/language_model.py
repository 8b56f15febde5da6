"""Train a language model of characters in one plain PyTorch loop, and watch it learn to write.

An embedding, the Relational Memory Core, a linear layer. The text is read in streams side by side, a window
at a step; the memory goes on from window to window, gradients end between them.

    python language_model.py                  # made-up sentences, half a minute on one core
    python language_model.py book.txt         # a text of your own, UTF-8
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relational_rnn.nn import RelationalMemory
from relational_rnn.tasks.language.made import made_text

STREAMS, WINDOW = 32, 64
LEARNING_RATE, CLIP_NORM = 3e-3, 1.0


class CharacterModel(nn.Module):
    """Predict the next character."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, 32)
        self.core = RelationalMemory(32, mem_slots=2, head_size=16, num_heads=4, batch_first=True)
        self.head = nn.Linear(self.core.output_size, characters)

    def forward(self, tokens: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, T) characters and the memory (B, 2, 64) -> scores (B, T, characters) and the next memory."""
        outputs, memory = self.core(self.embedding(tokens), memory)
        return self.head(outputs), memory


def streams(tokens: Tensor, count: int) -> Tensor:
    """Cut a text (N,) into streams of one length, (count, N // count)."""
    return tokens[: len(tokens) // count * count].view(count, -1)


@torch.no_grad()
def score(model: CharacterModel, tokens: Tensor) -> float:
    """Return nats a character over a text (N,) that is read from its beginning."""
    scores, _ = model(tokens[None, :-1])
    return F.cross_entropy(scores[0], tokens[1:]).item()


@torch.no_grad()
def write(model: CharacterModel, prompt: Tensor, count: int, generator: torch.Generator) -> list[int]:
    """Return the characters that a model writes after a text (N,): each costs one step."""
    token, memory, written = prompt[None], None, []
    for _ in range(count):
        scores, memory = model(token, memory)
        token = torch.multinomial((scores[:, -1] / 0.7).softmax(-1), 1, generator=generator)
        written.append(int(token))
    return written


def main() -> None:
    """Train, and print scores and what the model writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path, help="a text (default: made-up sentences)")
    parser.add_argument("--steps", type=int, default=300, help="default 300")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    options = parser.parse_args()
    if options.steps < 1:
        parser.error("--steps must be at least 1")
    try:
        text = made_text("train") if options.file is None else options.file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"{options.file} cannot be read: {error}")
    characters = sorted(set(text))
    number_of = {letter: number for number, letter in enumerate(characters)}
    tokens = torch.tensor([number_of[letter] for letter in text])
    if len(tokens) < STREAMS * WINDOW * 2:
        parser.error(f"a text must have at least {STREAMS * WINDOW * 2:,} characters, got {len(text):,}")
    training, held_out = tokens[: len(tokens) * 9 // 10], tokens[len(tokens) * 9 // 10 :][:5_000]

    torch.manual_seed(options.seed)
    model = CharacterModel(len(characters))
    optimiser = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"{len(text):,} characters, {len(characters)} different; {parameters:,} parameters")
    read = streams(training, STREAMS)
    memory, place, began = None, 0, time.perf_counter()
    for step in range(1, options.steps + 1):
        if place + WINDOW >= read.shape[1]:  # the text ends: begin again, with an empty memory
            memory, place = None, 0
        window = read[:, place : place + WINDOW + 1]
        scores, memory = model(window[:, :-1], memory)
        loss = F.cross_entropy(scores.flatten(0, 1), window[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimiser.step()
        memory, place = memory.detach(), place + WINDOW
        if step % max(1, options.steps // 6) == 0 or step == options.steps:
            written = write(model, held_out[:200], 60, torch.Generator().manual_seed(step))
            told = "".join(characters[number] for number in written).replace("\n", " / ")
            seconds = time.perf_counter() - began
            print(f"step {step:4}  {seconds:3.0f} s  {score(model, held_out):.2f} nats  {told}", flush=True)


if __name__ == "__main__":
    main()
