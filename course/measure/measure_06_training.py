"""Train through the plateau: the curve of page 6. About two minutes on one core.

    OMP_NUM_THREADS=1 relational-rnn course measure 6 [YOUR_FILE]

With a file, its functions train instead of the solution's. Nth farthest with 3 points on a line; the core
has 3 slots of 32 features and one head, the classifier on it one hidden layer of 64. Where matplotlib is
installed the curves are drawn as well, into plateau.png in this folder.
"""

import importlib.util
import sys
import time

import numpy as np

from relational_rnn.reference import Adam, Batch, Classifier, RelationalMemory, evaluate
from relational_rnn.tasks.nth_farthest import NthFarthest, sample

TASK = NthFarthest(objects=3, dimensions=1)
STEPS, SEEDS, EXAMPLES, BATCH, WINDOW = 1500, 3, 10_000, 256, 100
PEAK, WARMUP = 3e-3, 100


def main(mine):
    """Print the curve, then what became of each seed; `mine` has the functions of the exercise."""
    curves, ends, rows = [], [], []
    for seed in range(SEEDS):
        generator = np.random.default_rng(seed)
        core = RelationalMemory(TASK.input_size, TASK.objects, head_size=32, dtype=np.float32, seed=generator)
        model = Classifier(core, TASK.classes, (64,), seed=generator)

        def draw(generator=generator):
            batch = sample(TASK, BATCH, generator)
            return batch.inputs, batch.targets

        began = time.process_time()
        accuracies = mine.train(model, draw, Adam(), STEPS, PEAK, WARMUP)
        seconds = time.process_time() - began
        test = sample(TASK, EXAMPLES, np.random.default_rng(1000 + seed))
        score = evaluate(model, Batch(test.inputs, test.targets))["accuracy"]
        left = mine.left_plateau(accuracies, TASK.trivial_accuracy, BATCH, WINDOW)
        curves.append(accuracies)
        ends.append(left)
        rows.append(f"| {seed} | {left or 'never'} | {score:.1%} | {seconds:.0f} |")

    means = np.transpose([curve.reshape(-1, WINDOW).mean(axis=1) for curve in curves])
    seeds = " | ".join(f"seed {seed}" for seed in range(SEEDS))
    print(f"| steps | mean | {seeds} |\n|{'---|' * (SEEDS + 2)}")
    for at in range(STEPS // WINDOW):
        each = " | ".join(f"{one:.1%}" for one in means[at])
        print(f"| {WINDOW * (at + 1)} | {means[at].mean():.1%} | {each} |")
    print(f"\nAccuracy on fresh examples, each a mean of {WINDOW} steps. The plateau is the trivial score,")
    print(f"{TASK.trivial_accuracy:.1%}.\n")
    print("| seed | left the plateau after steps | test accuracy | processor's seconds |\n|---|---|---|---|")
    print("\n".join(rows))
    if importlib.util.find_spec("matplotlib"):
        draw_curves(np.array(curves), ends, "plateau.png")
        print("\nThe curves: plateau.png")


def draw_curves(curves, ends, path):
    """Draw each seed's accuracy, a mean of WINDOW steps, and where its plateau was over."""
    from matplotlib.figure import Figure

    sums = np.cumsum(np.pad(curves, ((0, 0), (1, 0))), axis=1)
    means = (sums[:, WINDOW:] - sums[:, :-WINDOW]) / WINDOW
    steps = np.arange(WINDOW, STEPS + 1)
    figure = Figure(figsize=(6.4, 3.5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for seed, (mean, left) in enumerate(zip(means, ends)):
        (line,) = axes.plot(steps, mean, linewidth=1.5, color=("#0072B2", "#D55E00", "#009E73")[seed])
        line.set_label(f"seed {seed}")
        if left:
            axes.plot(left, mean[left - WINDOW], "o", markersize=7, color=line.get_color())
    axes.axhline(TASK.trivial_accuracy, color="#222222", linewidth=1, linestyle="--", label="trivial score")
    axes.set_xlabel("training steps")
    axes.set_ylabel(f"accuracy, mean of {WINDOW} steps")
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    after = ", ".join(f"{left:,}" for left in ends if left)
    told = f", after {after} steps" if after else ""
    axes.set_title(f"{sum(map(bool, ends))} of {len(ends)} seeds leave the trivial score{told}", loc="left")
    figure.savefig(path)


if __name__ == "__main__":
    from relational_rnn.cli.main import main as command

    raise SystemExit(command(["course", "measure", "6", *sys.argv[1:], "--script", __file__]))
