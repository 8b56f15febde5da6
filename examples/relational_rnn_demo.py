"""A guided tour of the package in the terminal: a few seconds, nothing is trained.

    python relational_rnn_demo.py

Every section is a function of a few lines whose body is how you would use the package; read it beside what it
prints. Needs torch.
"""

import argparse

import numpy as np
import torch
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

import relational_rnn.reference
from relational_rnn.interop import get_parameters, set_parameters
from relational_rnn.interop.sonnet import export_variables, load_variables
from relational_rnn.nn import LSTM, RelationalMemory
from relational_rnn.tasks.nth_farthest import NthFarthest, oracle, records, sample
from relational_rnn.tasks.nth_farthest_text import as_text

SIZES = {"input_size": 5, "mem_slots": 3, "head_size": 4, "num_heads": 2}
"""A small core: 3 slots, 2 heads of 4 features, so a slot has 8."""


def build_a_core() -> None:
    """Build a core like an LSTM."""
    core = RelationalMemory(input_size=5, mem_slots=3, head_size=4, num_heads=2, batch_first=True)
    inputs = torch.randn(7, 6, 5)  # (B, T, F): 7 sequences of 6 steps
    outputs, memory = core(inputs)
    show("inputs", inputs.shape, "B, T, F")
    show("outputs", outputs.shape, "B, T, N*D: all slots of a step side by side")
    show("memory", memory.shape, "B, N, D: the last memory, which is the state")
    print("The last output is the last memory:", torch.equal(outputs[:, -1], memory.flatten(1)))


def carry_the_state() -> None:
    """Cut a long sequence into pieces."""
    core = RelationalMemory(**SIZES, batch_first=True)
    inputs = torch.randn(7, 6, 5)
    whole, _ = core(inputs)
    first, memory = core(inputs[:, :4])
    second, _ = core(inputs[:, 4:], memory)
    print("Steps 1-4, then 5-6 with the memory handed over, against all 6 at once:")
    print(f"largest difference {gap(torch.cat([first, second], 1), whole):.1e}")
    print("Without a state every sequence starts from the same memory, core.initial_state(batch_size)[0]:")
    print(core.initial_state(batch_size=7)[0])


def pack_different_lengths() -> None:
    """Run sequences of different lengths in one batch."""
    core = RelationalMemory(**SIZES)
    sequences = [torch.randn(length, 5) for length in (2, 6, 3)]
    packed_outputs, memory = core(pack_sequence(sequences, enforce_sorted=False))
    outputs, lengths = pad_packed_sequence(packed_outputs, batch_first=True)
    show("outputs", outputs.shape, f"B, longest T, N*D; lengths {lengths.tolist()}")
    show("memory", memory.shape, "of each sequence after its own last step")
    alone, _ = core(sequences[2])  # one sequence needs no batch axis
    print(f"The third sequence run alone: largest difference {gap(alone, outputs[2, :3]):.1e}")


def reset_within_a_sequence() -> None:
    """Start again in the middle of a row, as reinforcement learning does when an episode ends."""
    core = RelationalMemory(**SIZES, batch_first=True)
    inputs = torch.randn(2, 6, 5)
    resets = torch.zeros(2, 6, dtype=torch.bool)
    resets[1, 4] = True  # the second row forgets everything before its fifth step
    outputs, _ = core(inputs, resets=resets)
    fresh, _ = core(inputs[:, 4:])
    print(
        f"Row 2 from step 5 on, against a fresh start there: difference {gap(outputs[1, 4:], fresh[1]):.1e}"
    )
    print(
        f"Row 1, which was not reset:                        difference {gap(outputs[0, 4:], fresh[0]):.1e}"
    )


def look_inside() -> None:
    """Ask for the attention and the gates of every step."""
    core = RelationalMemory(**SIZES, batch_first=True)
    _, _, trace = core(torch.randn(7, 6, 5), return_trace=True)
    show("trace.attention", trace.attention.shape, "B, T, blocks, H, N, M: M = 3 slots and the input")
    show("trace.input_gate", trace.input_gate.shape, "B, T, N, D: how much is written")
    show("trace.forget_gate", trace.forget_gate.shape, "B, T, N, D: how much is kept")
    print("Attention of sequence 1, last step, head 1; a line for every slot that asks:")
    print("          slot 1  slot 2  slot 3   input")
    for slot, weights in enumerate(trace.attention[0, -1, 0, 0].tolist(), start=1):
        print(f"  slot {slot}" + "".join(f"{weight:8.2f}" for weight in weights))
    print("Gates of sequence 1, the mean over a slot's features:")
    print("                " + "".join(f"  step {step}" for step in range(1, 7)))
    for name, gate in (("write", trace.input_gate), ("keep", trace.forget_gate)):
        for slot, steps in enumerate(gate[0].mean(-1).T.tolist(), start=1):  # (N, T)
            print(f"  {name:5} slot {slot}  " + "".join(f"{value:8.2f}" for value in steps))


def count_parameters() -> None:
    """Compare sizes with an LSTM whose state holds as many numbers."""
    print(f"{'':34}{'state':>8}{'parameters':>13}")
    for slots in (1, 4, 16):
        core = RelationalMemory(input_size=40, mem_slots=slots, head_size=16, num_heads=4)
        lstm = LSTM(input_size=40, hidden_size=core.output_size)
        name = f"RMC, {slots} slot{'s' if slots > 1 else ''} of 64"
        print(f"{name:34}{core.output_size:8,}{parameters_of(core):13,}")
        print(f"{f'LSTM, {lstm.hidden_size:,} units':34}{lstm.hidden_size:8,}{parameters_of(lstm):13,}")
    print("All slots share their weights: more memory costs an RMC no parameters.")


def compare_with_numpy() -> None:
    """Run the same core in NumPy, where every derivative is written out by hand."""
    core = RelationalMemory(**SIZES, batch_first=True, dtype=torch.float64)
    reference = relational_rnn.reference.RelationalMemory(**SIZES)  # (B, T, F), float64
    set_parameters(reference, get_parameters(core))
    inputs = torch.randn(7, 6, 5, dtype=torch.float64, requires_grad=True)
    outputs, memory = core(inputs)
    outputs.square().sum().backward()
    numpy_outputs, numpy_memory = reference.forward(inputs.detach().numpy())
    numpy_d_inputs, _ = reference.backward(2 * numpy_outputs)
    weight = "blocks.0.qkv.weight"
    for name, ours, theirs in (
        ("outputs", outputs.detach().numpy(), numpy_outputs),
        ("last memory", memory.detach().numpy(), numpy_memory),
        ("gradient of the inputs", inputs.grad.numpy(), numpy_d_inputs),
        (f"gradient of {weight}", core.get_parameter(weight).grad.numpy(), reference.grads[weight]),
    ):
        print(f"  {name:36} largest difference {np.abs(ours - theirs).max():.1e}")


def exchange_with_the_authors() -> None:
    """Move weights to and from the authors' own code (Sonnet, TensorFlow)."""
    core = RelationalMemory(**SIZES, batch_first=True)
    variables = export_variables(core)  # name -> array, as their checkpoints have them
    for name in list(variables)[:6]:
        print(f"  {name:40} {variables[name].shape}")
    print(f"  and {len(variables) - 6} more")
    other = RelationalMemory(**SIZES, batch_first=True)
    load_variables(other, variables)
    inputs = torch.randn(7, 6, 5)
    print(f"Loaded into another core: largest difference {gap(other(inputs)[0], core(inputs)[0]):.1e}")


def ask_a_question(seed: int) -> None:
    """Make an example of the task that the paper invented, and let the oracle answer."""
    task = NthFarthest(objects=4, dimensions=2)
    last = task.objects - 1  # this n asks for the reference itself, which takes no comparing: skip it
    print(as_text(next(record for record in records(task, count=1000, seed=seed) if record["n"] != last)))
    batch = sample(task, 1000, np.random.default_rng(seed))
    right = (oracle(task, batch.inputs) == batch.targets).mean()
    print(f"\nThe oracle, which sees only what a model sees, on 1,000 examples: {right:.1%}")
    print(f"The trivial score, of a model that compares no distances:         {task.trivial_accuracy:.1%}")


def show(name: str, shape: torch.Size, meaning: str) -> None:
    """Print a shape and its axes."""
    print(f"  {name:18} {tuple(shape)!s:22} {meaning}")


def gap(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return the largest difference between two tensors."""
    return (one - other).abs().max().item()


def parameters_of(model: torch.nn.Module) -> int:
    """Return how many numbers a model learns."""
    return sum(parameter.numel() for parameter in model.parameters())


def main() -> None:
    """Walk through the sections."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--seed", type=int, default=0, help="decides all random numbers (default 0)")
    seed = parser.parse_args().seed
    if seed < 0:
        parser.error(f"--seed must be at least 0, got {seed}")
    torch.manual_seed(seed)
    torch.set_printoptions(precision=2, sci_mode=False)
    sections = {
        "Build a core and run a sequence": build_a_core,
        "Hand the state over": carry_the_state,
        "Sequences of different lengths": pack_different_lengths,
        "Start again within a sequence": reset_within_a_sequence,
        "Look inside: attention and gates": look_inside,
        "Count parameters beside an LSTM": count_parameters,
        "The same in NumPy": compare_with_numpy,
        "Weights under the authors' names": exchange_with_the_authors,
        "The task: Nth farthest": lambda: ask_a_question(seed),
    }
    for number, (heading, section) in enumerate(sections.items(), start=1):
        print(f"\n{number}. {heading}\n{'-' * (len(heading) + 3)}")
        section()


if __name__ == "__main__":
    main()
