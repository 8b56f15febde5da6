"""Solution of exercise 9: reading a trained memory."""

import numpy as np


def slot_changes(memories, initial):
    """Measure how far each slot moves in each step.

    Args:
        memories: (B, T, N, D), after each step.
        initial: (B, N, D), before the first.

    Returns:
        (T, N): the Euclidean length of the change, its mean over the samples.
    """
    before = np.concatenate([initial[:, None], memories[:, :-1]], axis=1)
    return np.linalg.norm(memories - before, axis=3).mean(axis=0)


def input_share(attention):
    """Measure how much the slots look at the input.

    Args:
        attention: (B, T, H, N, M), weights of the N slots' queries over M = N + 1 rows, the input's row last.

    Returns:
        (T, H): the weight on the input's row, its mean over samples and slots.
    """
    return attention[..., -1].mean(axis=(0, 3))


def effective_rank(memories):
    """Count the directions that the slots of a sample span: `exp(-Σ p log p)`, `p = σ / Σ σ`.

    Args:
        memories: (B, T, N, D), none of them all 0; σ are the singular values of a sample's (N, D) matrix.

    Returns:
        (T,): between 1 and min(N, D), the mean over the samples.
    """
    singular = np.linalg.svd(memories, compute_uv=False)  # (B, T, min(N, D))
    shares = singular / singular.sum(axis=-1, keepdims=True)
    logs = np.log(np.where(shares > 0, shares, 1))  # 0 log 0 is 0
    return np.exp(-(shares * logs).sum(axis=-1)).mean(axis=0)


def fit_probe(features, classes, count, penalty=1.0):
    """Fit a linear probe: the least squares of one-hot codes, with a penalty on the weights (ridge).

    Args:
        features: (S, D), one row a sample.
        classes: (S,) integers 0..count-1, what should be read.
        count: C.
        penalty: λ; what is minimised is `Σ |W x + b - onehot|² + λ Σ W²`, without a penalty on b.

    Returns:
        weights: W, (C, D).
        bias: b, (C,).
    """
    targets = np.eye(count)[classes]
    mean, target_mean = features.mean(axis=0), targets.mean(axis=0)
    x, y = features - mean, targets - target_mean  # centred, so that b drops out
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y).T
    return weights, target_mean - weights @ mean


def probe_accuracy(features, classes, count):
    """Fit a probe on the first half of the samples and score it on the second.

    Args:
        features: (S, D), S even.
        classes: (S,).
        count: C.

    Returns:
        The share of the second half for which the largest of the C results is at the right class.
    """
    half = len(features) // 2
    weights, bias = fit_probe(features[:half], classes[:half], count)
    told = (features[half:] @ weights.T + bias).argmax(axis=1)
    return float((told == classes[half:]).mean())


def probe_map(memories, classes, count):
    """Probe every slot after every step.

    Args:
        memories: (S, T, N, D).
        classes: (S,), the same for all steps and slots.
        count: C.

    Returns:
        (T, N) accuracies.
    """
    _, steps, slots, _ = memories.shape
    return np.array(
        [[probe_accuracy(memories[:, t, n], classes, count) for n in range(slots)] for t in range(steps)]
    )


def transplant(core, inputs, step, slots):
    """Run a core, replace some slots by those of another sequence, and go on.

    Args:
        core: `core.forward(inputs, memory=None)` returns outputs (B, T, O) and the last memory (B, N, D).
        inputs: (B, T, F).
        step: 1..T-1, so many steps are made before.
        slots: list of slots; sample b gets those of sample b - 1, the first one those of the last.

    Returns:
        (B, O): the output after the last step.
    """
    _, memory = core.forward(inputs[:, :step])
    mixed = memory.copy()
    mixed[:, slots] = np.roll(memory, 1, axis=0)[:, slots]
    outputs, _ = core.forward(inputs[:, step:], mixed)
    return outputs[:, -1]


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "9", __file__]))
