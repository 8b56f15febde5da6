"""Right in training and wrong in the test: what helps when there are few sequences.

In which third of its 12 steps is the first of three features largest on average? 320 sequences are soon known
by heart. Each row of the table changes one thing and trains as many steps, with the same test sequences.

    python few_examples.py               # every row with three seeds, a minute on one core
    python few_examples.py --seeds 1

What came of it stands in docs/your_data.md. Needs relational-rnn[torch].
"""

import argparse
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from relational_rnn.nn import RelationalMemory, SequenceClassifier

BATCH_SIZE = 64
LEARNING_RATE = 4e-3
WARMUP_STEPS = 20
CLIP_NORM = 1.0
TEST_EXAMPLES = 2_000
TRAINING, VALIDATION, TEST = range(3)  # with the seed: generators that never share sequences


@dataclass(frozen=True)
class Setting:
    """What a row of the table may change."""

    examples: int = 320
    weight_decay: float = 0.0
    noise: float = 0.0
    """Standard deviation of what is added to the training inputs, which have 1."""
    dropout: float = 0.0
    """Share of the training inputs that is set to 0."""
    head_size: int = 8
    keep_best: bool = False
    """Take the weights that were best on 320 validation sequences, not the last ones."""


ROWS = {
    "320 sequences": Setting(),
    "the weights best in validation": Setting(keep_best=True),
    "weight decay 1 (AdamW)": Setting(weight_decay=1.0),
    "dropout 0.2 on the inputs": Setting(dropout=0.2),
    "noise of 0.6 on the inputs": Setting(noise=0.6),
    "`head_size` 8 → 4": Setting(head_size=4),
    "1,280 sequences": Setting(examples=1_280),
    "5,120 sequences": Setting(examples=5_120),
}


def draw(count: int, seed: int, part: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return sequences (count, 12, 3), scaled as they should be, and their classes (count,)."""
    inputs = np.random.default_rng([seed, part]).normal(size=(count, 12, 3)).astype(np.float32)
    classes = inputs[:, :, 0].reshape(-1, 3, 4).mean(2).argmax(1)
    return torch.from_numpy(inputs), torch.from_numpy(classes)


def share_right(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> float:
    """Return the share of the sequences whose class the model predicts."""
    with torch.no_grad():
        return (model(inputs).argmax(1) == targets).float().mean().item()


def train(setting: Setting, seed: int, steps: int) -> tuple[float, float]:
    """Train one model; return the share of training and of test sequences that it gets right."""
    torch.manual_seed(seed)
    inputs, targets = draw(setting.examples, seed, TRAINING)
    validation = draw(320, seed, VALIDATION)
    core = RelationalMemory(3, mem_slots=4, head_size=setting.head_size, num_heads=2, batch_first=True)
    model = SequenceClassifier(core, classes=3, head_layers=1, head_units=32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=setting.weight_decay)
    warmup = torch.optim.lr_scheduler.LinearLR(optimiser, 0.05, total_iters=WARMUP_STEPS)
    best, kept = 0.0, model.state_dict()
    for step in range(1, steps + 1):
        rows = torch.randint(setting.examples, (BATCH_SIZE,))
        seen = inputs[rows] + setting.noise * torch.randn(BATCH_SIZE, 12, 3)
        loss = F.cross_entropy(model(F.dropout(seen, setting.dropout)), targets[rows])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimiser.step()
        warmup.step()
        if setting.keep_best and step % 10 == 0 and (score := share_right(model, *validation)) > best:
            best, kept = score, {name: value.clone() for name, value in model.state_dict().items()}
    if setting.keep_best:
        model.load_state_dict(kept)
    return share_right(model, inputs, targets), share_right(model, *draw(TEST_EXAMPLES, seed, TEST))


def cell(scores: np.ndarray) -> str:
    """Return the mean and the range of the seeds' scores, in percent."""
    mean, low, high = (100 * value for value in (scores.mean(), scores.min(), scores.max()))
    return f"{mean:.1f} ({low:.1f}\N{EN DASH}{high:.1f})"


def main(arguments: list[str] | None = None) -> None:
    """Train every row and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    chosen = parser.parse_args(arguments)
    if chosen.seeds < 1 or chosen.steps < 1:
        parser.error(f"--seeds and --steps must be 1 or more, got {chosen.seeds} and {chosen.steps}")
    print("| change | training | test |\n| --- | --- | --- |")
    for name, setting in ROWS.items():
        scores = np.array([train(setting, seed, chosen.steps) for seed in range(chosen.seeds)])
        print(f"| {name} | {cell(scores[:, 0])} | {cell(scores[:, 1])} |", flush=True)
    targets = draw(TEST_EXAMPLES, 0, TEST)[1]
    print(f"\nGuessing the most frequent class: {100 * targets.bincount().max() / len(targets):.1f} %.")


if __name__ == "__main__":
    main()
