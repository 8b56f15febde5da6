"""Train a language model of characters with Lightning: the memory goes on from window to window.

The model and the text are those of language_model.py; here Lightning has the loop. A batch is one window of
all streams, in the text's order, so the data loader must neither shuffle nor batch. `training_step` hands the
memory on without its gradients (truncated back-propagation through time); each pass begins anew.

    pip install 'lightning>=2.6.4'
    python language_model_lightning.py               # made-up sentences, a minute or two on one core
    python language_model_lightning.py book.txt      # a text of your own, UTF-8
"""

from __future__ import annotations

import argparse
from pathlib import Path

import lightning
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from relational_rnn.nn import RelationalMemory
from relational_rnn.tasks.language.made import made_text

STREAMS, WINDOW = 32, 64
LEARNING_RATE, CLIP_NORM = 3e-3, 1.0


class CharacterModel(lightning.LightningModule):
    """Predict the next character; the memory of what was read goes on until the text ends."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, 32)
        self.core = RelationalMemory(32, mem_slots=2, head_size=16, num_heads=4, batch_first=True)
        self.head = nn.Linear(self.core.output_size, characters)
        self.memory: Tensor | None = None  # of the training streams; None for the core's start
        self.held_out_memory: Tensor | None = None

    def forward(self, tokens: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, T) characters and the memory (B, 2, 64) -> scores (B, T, characters) and the next memory."""
        outputs, memory = self.core(self.embedding(tokens), memory)
        return self.head(outputs), memory

    def read(self, window: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return nats a character over a window (B, T + 1), and the memory after it without gradients."""
        scores, memory = self(window[:, :-1], memory)
        return F.cross_entropy(scores.flatten(0, 1), window[:, 1:].flatten()), memory.detach()

    def on_train_epoch_start(self) -> None:
        """Begin the text with an empty memory."""
        self.memory = None

    def training_step(self, window: Tensor, index: int) -> Tensor:
        """Return the loss of the next window of all streams."""
        loss, self.memory = self.read(window, self.memory)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Begin the held-out text with an empty memory; that of the training streams waits."""
        self.held_out_memory = None

    def validation_step(self, window: Tensor, index: int) -> None:
        """Score the next window of the held-out text."""
        nats, self.held_out_memory = self.read(window, self.held_out_memory)
        self.log("nats", nats, batch_size=window.numel())

    def on_validation_epoch_end(self) -> None:
        """Say how well the held-out text was read."""
        print(
            f"epoch {self.current_epoch + 1:3}  {self.trainer.callback_metrics['nats']:.2f} nats", flush=True
        )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, as in language_model.py."""
        return torch.optim.Adam(self.parameters(), LEARNING_RATE)


def windows(tokens: Tensor, streams: int) -> DataLoader[Tensor]:
    """Cut a text (N,) into streams side by side, and them into windows (B, T + 1) in order.

    Windows overlap by one character: the last target of one is the first input of the next.
    """
    side_by_side = tokens[: len(tokens) // streams * streams].view(streams, -1)
    starts = range(0, side_by_side.shape[1] - WINDOW, WINDOW)
    return DataLoader([side_by_side[:, start : start + WINDOW + 1] for start in starts], batch_size=None)


def main() -> None:
    """Train, and print the score on held-out text after each pass."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path, help="a text (default: made-up sentences)")
    parser.add_argument("--epochs", type=int, default=4, help="default 4")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    options = parser.parse_args()
    if options.epochs < 1:
        parser.error("--epochs must be at least 1")
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

    lightning.seed_everything(options.seed, verbose=False)
    trainer = lightning.Trainer(
        max_epochs=options.epochs,
        accelerator="cpu",
        devices=1,
        gradient_clip_val=CLIP_NORM,
        deterministic=True,
        num_sanity_val_steps=0,  # they would print a score before there is anything to score
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(CharacterModel(len(characters)), windows(training, STREAMS), windows(held_out, 1))


if __name__ == "__main__":
    main()
