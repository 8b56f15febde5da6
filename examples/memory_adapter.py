"""A Transformer that reads one chunk at a time, and recalls what an earlier chunk said.

The task: the first chunk shows keys, each with a value; then come chunks of noise; the last chunk asks for
one of the keys, and the answer is its value. A decoder that sees one chunk can only guess. With a
`RelationalMemoryAdapter` between its two blocks the same decoder answers: the slots are carried from chunk to
chunk.

    python memory_adapter.py                     # both decoders, three seeds
    python memory_adapter.py --seeds 1 --steps 200
"""

import argparse

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relational_rnn.nn import RelationalMemoryAdapter

KEYS, VALUES, NOISE = 3, 4, 4
"""Tokens of each kind; one more is the question mark."""
PAIRS, LENGTH, CHUNKS = 2, 4, 3
"""Pairs in the first chunk, tokens in a chunk, chunks."""
QUESTION = KEYS + VALUES + NOISE
WIDTH, HEADS = 32, 4
BATCH_SIZE, LEARNING_RATE, STEPS = 64, 3e-3, 1000
TEST_EXAMPLES = 2_000


def sample(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw examples: tokens (B, CHUNKS, LENGTH) and, for each, the value asked for (B,)."""
    first = KEYS + VALUES  # the first token of noise
    tokens = torch.randint(first, first + NOISE, (count, CHUNKS, LENGTH), generator=generator)
    keys = torch.rand(count, KEYS, generator=generator).argsort(1)[:, :PAIRS]  # different ones
    values = torch.randint(VALUES, (count, PAIRS), generator=generator)
    tokens[:, 0, 0 : 2 * PAIRS : 2] = keys
    tokens[:, 0, 1 : 2 * PAIRS : 2] = KEYS + values
    asked = torch.randint(PAIRS, (count, 1), generator=generator)
    tokens[:, -1, -2] = QUESTION
    tokens[:, -1, -1] = keys.gather(1, asked).squeeze(1)
    return tokens, values.gather(1, asked).squeeze(1)


class Decoder(nn.Module):
    """Two causal blocks of torch's Transformer that see one chunk, and perhaps an adapter between them."""

    def __init__(self, with_memory: bool) -> None:
        super().__init__()
        self.tokens = nn.Embedding(QUESTION + 1, WIDTH)
        self.positions = nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, HEADS, 2 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(2)
        )
        self.adapter = (
            RelationalMemoryAdapter(WIDTH, mem_slots=2, head_size=8, num_heads=HEADS) if with_memory else None
        )
        self.head = nn.Linear(WIDTH, VALUES)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(LENGTH))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return scores (B, VALUES) after the last of the chunks (B, CHUNKS, LENGTH)."""
        memory, chunks = None, tokens.unbind(1)
        if self.adapter is None:
            chunks = chunks[-1:]  # nothing is left of the others
        for chunk in chunks:
            hidden = self.tokens(chunk) + self.positions.weight  # (B, LENGTH, WIDTH)
            hidden = self.blocks[0](hidden, self.mask, is_causal=True)
            if self.adapter is not None:
                hidden, memory = self.adapter(hidden, memory)
        # What comes after the adapter is needed of the last chunk only: the answer is there.
        return self.head(self.blocks[1](hidden, self.mask, is_causal=True)[:, -1])


def train(with_memory: bool, seed: int, steps: int) -> float:
    """Train one decoder; return its accuracy on examples that it has not seen."""
    torch.manual_seed(seed)
    model, generator = Decoder(with_memory), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for _ in range(steps):
        tokens, targets = sample(BATCH_SIZE, generator)
        loss = F.cross_entropy(model(tokens), targets)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    tokens, targets = sample(TEST_EXAMPLES, torch.Generator().manual_seed(10_000 + seed))
    with torch.no_grad():
        return (model.eval()(tokens).argmax(1) == targets).double().mean().item()


def main() -> None:
    """Train both decoders with every seed and print their accuracies."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="how many (default 3)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of each training (default {STEPS})")
    arguments = parser.parse_args()
    if arguments.seeds < 1 or arguments.steps < 1:
        parser.error("--seeds and --steps must be at least 1")
    torch.set_num_threads(1)  # the matrices are small: more threads would wait for each other
    print(f"{PAIRS} pairs in the first of {CHUNKS} chunks of {LENGTH} tokens, one asked for in the last.")
    print(f"Chance is {1 / VALUES:.1%}; guessing among the values that were shown {guess():.1%}.\n")
    print(f"{'seed':6}{'decoder alone':>16}{'with adapter':>16}")
    rows = []
    for seed in range(arguments.seeds):
        rows.append([train(with_memory, seed, arguments.steps) for with_memory in (False, True)])
        print(f"{seed:<6}{rows[-1][0]:16.1%}{rows[-1][1]:16.1%}", flush=True)
    alone, helped = (sum(column) / len(rows) for column in zip(*rows, strict=True))
    print(f"{'mean':6}{alone:16.1%}{helped:16.1%}")
    print(f"Accuracy on {TEST_EXAMPLES:,} examples that no training saw.")


def guess() -> float:
    """Return what one scores who knows which values were shown, but not with which key."""
    return 1 / PAIRS + (1 - 1 / PAIRS) / VALUES


if __name__ == "__main__":
    main()
