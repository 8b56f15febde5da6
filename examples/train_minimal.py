"""Train a Relational Memory Core and an LSTM on the smallest relational task, in one plain PyTorch loop.

The task is Nth farthest with 3 points in the plane: the points arrive one a step, and with them the question
"which point is the n-th farthest from point m?". For one of the three n the answer is m itself; a model that
has understood only this scores 2/3, the trivial score. More than that takes comparing distances between
points that were seen at different steps.

    python train_minimal.py                              # both models, a minute or two on one core
    python train_minimal.py --model both --save_plot     # and training_curves.png
    python train_minimal.py --model rmc --visualize      # and attention.png
    python train_minimal.py --size small                 # models of a tenth of the parameters

Needs torch, and for the pictures matplotlib.
"""

import argparse
import importlib.util
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from relational_rnn.analysis import Curve, question_maps, training_curves
from relational_rnn.nn import LSTM, RelationalMemory, SequenceClassifier
from relational_rnn.tasks.nth_farthest import NthFarthest, sample
from relational_rnn.training.learners.recording import record_attention_at

TASK = NthFarthest(objects=3, dimensions=2)
BATCH_SIZE = 512
LEARNING_RATE = 2e-3
WARMUP_STEPS = 300
CLIP_NORM = 1.0
STEPS = 1000
TEST_EXAMPLES = 10_000
REPORT_STEPS = 50
NAMES = {"rmc": "RMC", "lstm": "LSTM"}
SIZES = {  # of the RMC's heads, of the LSTM, and of the MLP on top of either
    "standard": {"head_size": 16, "hidden_size": 128, "head_layers": 2, "head_units": 256},
    "small": {"head_size": 8, "hidden_size": 64, "head_layers": 1, "head_units": 32},
}
TRAINING, VALIDATION, TEST, PICTURE = range(4)  # with the seed: generators that never share examples


def build(name: str, seed: int, size: str) -> SequenceClassifier:
    """Return a recurrent core with an MLP on its last output."""
    torch.manual_seed(seed)
    sizes = SIZES[size]
    if name == "rmc":  # memory (B, 3, 64): 3 slots, 4 heads of 16; small (B, 3, 32)
        core = RelationalMemory(
            TASK.input_size, mem_slots=3, head_size=sizes["head_size"], num_heads=4, batch_first=True
        )
    else:  # units that make the LSTM the model with more parameters; the table shows how many
        core = LSTM(TASK.input_size, hidden_size=sizes["hidden_size"], batch_first=True)
    return SequenceClassifier(core, TASK.classes, sizes["head_layers"], sizes["head_units"])


def train(
    name: str, seed: int, size: str, steps: int, seconds: float
) -> tuple[SequenceClassifier, dict[str, list[float]]]:
    """Train one model; print its progress; return it and the points of its curve."""
    model = build(name, seed, size)
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    generator = np.random.default_rng([seed, TRAINING])  # the same examples for every model
    points: dict[str, list[float]] = {"seconds": [], "examples": [], "accuracy": []}
    start, step, progress = time.perf_counter(), 0, 0.0
    while progress < 1:
        # Linear warm-up, then half a cosine down to zero.
        rate = min(1, (step + 1) / WARMUP_STEPS) * 0.5 * (1 + math.cos(math.pi * progress))
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * rate

        batch = sample(TASK, BATCH_SIZE, generator)
        inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)  # (B, 3, 11), (B,)
        scores = model(inputs)  # (B, 3), one for each label
        loss = F.cross_entropy(scores, targets)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimiser.step()

        step += 1
        elapsed = time.perf_counter() - start
        progress = max(step / steps, elapsed / seconds)
        if step % REPORT_STEPS == 0 or progress >= 1:
            correct = accuracy(model, 2_000, seed, VALIDATION)
            for axis, value in zip(points, (elapsed, step * BATCH_SIZE, correct), strict=True):
                points[axis].append(value)
            print(
                f"{NAMES[name]:4}  step {step:5,}  {elapsed:4.0f} s  loss {loss.item():.3f}  "
                f"accuracy {correct:6.1%}  (trivial {TASK.trivial_accuracy:.1%})",
                flush=True,
            )
    return model, points


@torch.no_grad()
def accuracy(model: SequenceClassifier, examples: int, seed: int, split: int) -> float:
    """Return the share of fresh examples that the model answers rightly."""
    batch = sample(TASK, examples, np.random.default_rng([seed, split]))
    answers = model(torch.from_numpy(batch.inputs)).argmax(1)  # (B,)
    return float((answers.numpy() == batch.targets).mean())


def main() -> None:
    """Train, print the table, draw the pictures asked for."""
    arguments = read_arguments()
    torch.set_num_threads(1)  # the matrices are small: more threads would wait for each other
    names = ["rmc", "lstm"] if arguments.model == "both" else [arguments.model]
    seed, trivial = arguments.seed, TASK.trivial_accuracy
    title = f"Nth farthest, {TASK.objects} vectors of {TASK.dimensions} dimensions"
    print(f"{title}; batches of {BATCH_SIZE}, seed {seed}.")
    print(f"A blind guess scores {1 / TASK.classes:.1%}. Knowing only that one n asks for point m itself")
    print(f"scores {trivial:.1%}, the trivial score. Ctrl-C stops.\n")

    models, curves = {}, []
    for name in names:
        models[name], points = train(name, seed, arguments.size, arguments.steps, arguments.seconds)
        curves.append(Curve(NAMES[name], name, **points))
        print()

    print(f"{'model':8}{'accuracy':>10}{'trivial':>10}{'examples':>11}{'seconds':>9}{'parameters':>12}")
    for (name, model), curve in zip(models.items(), curves, strict=True):
        score = accuracy(model, TEST_EXAMPLES, seed, TEST)
        size = sum(parameter.numel() for parameter in model.parameters())
        print(f"{NAMES[name]:8}{score:10.1%}{trivial:10.1%}", end="")
        print(f"{curve.examples[-1]:11,}{curve.seconds[-1]:9.0f}{size:12,}")
    print(f"Accuracy on {TEST_EXAMPLES:,} examples that no training saw.")

    if arguments.save_plot:
        path = arguments.out / "training_curves.png"
        reached = ", ".join(f"{curve.name} {curve.accuracy[-1]:.1%}" for curve in curves)
        told = f"{reached} (one seed); the trivial score is {trivial:.1%}"
        print(
            "Written:",
            training_curves(curves, trivial_accuracy=trivial, title=told, about=title, path=path),
        )
    if arguments.visualize:
        path = arguments.out / "attention.png"
        generator = np.random.default_rng([seed, PICTURE])
        step = TASK.objects // 2  # the reference comes in the middle
        (seen,) = record_attention_at(models["rmc"], TASK, generator, examples=1, step=step)
        print("Written:", question_maps(seen, about=title, path=path))


def read_arguments() -> argparse.Namespace:
    """Read the command line; wrong use ends the program with code 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--model", choices=[*NAMES, "both"], default="both", help="what to train (default both)"
    )
    parser.add_argument(
        "--size", choices=SIZES, default="standard", help="how large the models are (default standard)"
    )
    parser.add_argument("--save_plot", action="store_true", help="draw training_curves.png")
    parser.add_argument("--visualize", action="store_true", help="draw the RMC's attention: attention.png")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder of the pictures (default: the current one)",
    )
    parser.add_argument("--seed", type=int, default=0, help="decides weights and examples (default 0)")
    parser.add_argument(
        "--steps", type=int, default=STEPS, help=f"training steps of each model (default {STEPS})"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=math.inf,
        help="most seconds of training for each model (default: no limit)",
    )
    arguments = parser.parse_args()
    if arguments.visualize and arguments.model == "lstm":
        parser.error(
            "--visualize draws attention, which an LSTM does not have: use --model rmc or --model both"
        )
    if arguments.seed < 0 or arguments.steps < 1 or not arguments.seconds > 0:
        parser.error("--seed must be at least 0, --steps at least 1 and --seconds above 0")
    if arguments.save_plot or arguments.visualize:  # better now than after the training
        if importlib.util.find_spec("matplotlib") is None:
            parser.error("pictures need matplotlib: pip install matplotlib")
        try:
            arguments.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f"--out must be a folder that can be written: {error}")
    return arguments


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nStopped.")
        sys.exit(130)
