"""Exercise 2: how a memory begins, and why slots that start equal stay equal.

Write the functions, then run this file or `relational-rnn course check 2`; both say where the lesson is.
"""


def zeros_memory(slots, width):
    """Return a memory of zeros.

    Args:
        slots: N.
        width: D, features of a slot.

    Returns:
        (N, D) floats.
    """
    raise NotImplementedError("Every entry is 0; the shape is (slots, width).")


def identity_memory(slots, width):
    """Return a memory in which slot i is the i-th unit vector.

    Args:
        slots: N.
        width: D.

    Returns:
        (N, D) floats: the identity matrix, padded with zero columns if D > N, cut to D columns if D < N.
    """
    raise NotImplementedError(
        "Slot i has a 1 at feature i and 0 elsewhere; np.eye can make other shapes than squares."
    )


def normal_memory(slots, width, generator, deviation=1.0):
    """Return a memory drawn from a normal distribution of mean 0.

    Args:
        slots: N.
        width: D.
        generator: `np.random.Generator`, the only source of chance.
        deviation: standard deviation.

    Returns:
        (N, D) floats.
    """
    raise NotImplementedError("Draw from the generator, not from np.random, and scale to the deviation.")


def start(initial, batch_size):
    """Give every sample of a batch the same initial memory, as an array of its own.

    Args:
        initial: (N, D).
        batch_size: B.

    Returns:
        (B, N, D); writing into one sample changes no other sample and not `initial`.
    """
    raise NotImplementedError("Repeat the memory along a new first axis; a broadcast view would not do.")


def initial_memory_gradient(d_memory):
    """Return the gradient of a trainable initial memory.

    Args:
        d_memory: (B, N, D), gradient of the loss with respect to the memory that each sample began with.

    Returns:
        (N, D), gradient with respect to the one memory that all samples share.
    """
    raise NotImplementedError(
        "One array was used B times: what happens to the gradients of something that is used several times?"
    )


def slot_spread(memory):
    """Say how different the slots of each sample are: 0 if all are equal, 1 if their mean is 0.

    `sqrt(Σ_n |m_n − mean|² / Σ_n |m_n|²)`, with the mean over the slots; 0 for a memory of zeros.

    Args:
        memory: (B, N, D).

    Returns:
        (B,), between 0 and 1.
    """
    raise NotImplementedError(
        "Subtract the mean slot, compare the sums of squares, take the root; mind 0 / 0."
    )


def permutation_gap(core, inputs, memory, order):
    """Measure whether it matters to a core which slot stands where.

    Compare two ways: run the core, then reorder its last memory; or reorder the first memory, then run.

    Args:
        core: `core.forward(inputs, memory)` returns (outputs, last memory).
        inputs: (B, T, F).
        memory: (B, N, D), the first memory.
        order: (N,) integers, a permutation of the slots.

    Returns:
        The largest absolute difference between the two last memories, a number.
    """
    raise NotImplementedError(
        "Run the core on memory and on memory[:, order]; reorder the first result and compare."
    )


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "2", __file__]))
