"""The Relational Memory Core in one file of plain PyTorch, to read from top to bottom.

Paper: Santoro et al. 2018, "Relational recurrent neural networks", arXiv 1806.01822, section 3. The numbers
below are its equations: 1 and 2 are attention, 3 to 9 a "2-D LSTM" whose cell state is the memory.
Where the paper leaves something open or the authors' code (Sonnet 1.36, `relational_memory.py`) does it
otherwise, the code is followed, and a comment that starts with "Code:" says so.

Letters in the shape comments: B batch, T time, F input features, N memory slots, H heads, V features of a
head, D = H V features of a slot, M = N + 1 rows that attention sees (the slots and the input).

    python implementation.py        # a small core, untrained, looked at from all sides

The parameters are named as in `relational_rnn.nn.RelationalMemory` with its default options, so weights move
between the two with `load_state_dict`.
"""

import argparse

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """The layers of one round of attention that the rounds do not share."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)  # W^q, W^k and W^v of all heads in one matrix
        self.qkv_norm = nn.LayerNorm(3 * width)  # Code: not in the paper
        self.attention_norm = nn.LayerNorm(width)
        self.mlp_norm = nn.LayerNorm(width)


class RelationalMemory(nn.Module):
    """Slots of memory that attend to each other and to the input at every step."""

    def __init__(
        self,
        input_size: int,  # F
        mem_slots: int,  # N
        head_size: int,  # V
        num_heads: int = 1,  # H
        num_blocks: int = 1,  # rounds of attention within a step
        attention_mlp_layers: int = 2,
        forget_bias: float = 1.0,
        input_bias: float = 0.0,
    ) -> None:
        super().__init__()
        width = head_size * num_heads  # D
        self.mem_slots, self.num_heads, self.width = mem_slots, num_heads, width
        self.forget_bias, self.input_bias = forget_bias, input_bias
        self.input_projection = nn.Linear(input_size, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(num_blocks))
        # One MLP for all slots and all blocks: the number of slots does not change the number of parameters.
        self.mlp = nn.ModuleList(nn.Linear(width, width) for _ in range(attention_mlp_layers))
        self.gate_input = nn.Linear(width, 2 * width)  # W^i and W^f
        self.gate_memory = nn.Linear(width, 2 * width)  # U^i and U^f
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                # Code: a normal distribution cut at two deviations. It is wider than torch's default.
                deviation = layer.in_features**-0.5
                nn.init.trunc_normal_(layer.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
                nn.init.zeros_(layer.bias)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the first memory (B, N, D): slot i is the i-th unit vector (zero where i > D)."""
        # Code: the paper says "randomly initialised". Equal slots would stay equal for ever, because all
        # rows are treated by the same functions.
        return torch.eye(self.mem_slots, self.width).to(self.gate_input.weight).repeat(batch_size, 1, 1)

    def forward(self, inputs: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run over (B, T, F); return the outputs (B, T, N D) and the last memory (B, N, D)."""
        memory = self.initial_state(len(inputs)) if memory is None else memory  # (B, N, D)
        outputs = []
        for x in inputs.unbind(1):  # (B, F)
            memory, _ = self.step(x, memory)
            outputs.append(memory.flatten(1))  # (B, N D): all slots side by side
        return torch.stack(outputs, 1), memory

    def step(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return the memory (B, N, D) after x (B, F), and the last block's attention (B, H, N, M)."""
        x = self.input_projection(x)  # (B, D): as wide as a slot

        # Section 3.2: the input is one more row, and one attention both relates the slots to each other and
        # brings in what is new.
        rows = torch.cat([memory, x.unsqueeze(1)], 1)  # (B, M, D): [M; x]
        for block in self.blocks:
            attended, attention = self.attend(block, rows)  # (B, M, D), (B, H, M, M)
            rows = block.attention_norm(rows + attended)  # (B, M, D)
            rows = block.mlp_norm(rows + self.row_mlp(rows))  # (B, M, D)
        proposal = rows[:, : self.mem_slots]  # (B, N, D): g_psi(M~) of equation 7; the input's row is dropped

        # Equations 4 and 5, for all slots with the same weights. Code: h is tanh(m), as equation 8 has it
        # without its output gate (equation 6): section 3.3 says that the gate was not needed.
        h = torch.tanh(memory)  # (B, N, D)
        gates = self.gate_input(x).unsqueeze(1) + self.gate_memory(h)  # (B, 1, 2D) + (B, N, 2D)
        i, f = gates.chunk(2, -1)  # (B, N, D) each: a gate for every element ("unit" gating)

        # Equation 7: keep what the forget gate lets through, add what the input gate lets in.
        keep = torch.sigmoid(f + self.forget_bias)  # (B, N, D)
        write = torch.sigmoid(i + self.input_bias)  # (B, N, D); Code: there is a bias here too, by default 0
        memory = keep * memory + write * torch.tanh(proposal)  # (B, N, D); Code: the tanh, as in an LSTM
        return memory, attention[:, :, : self.mem_slots]

    def attend(self, block: Block, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Let every row of (B, M, D) ask every row: the answers (B, M, D) and the weights (B, H, M, M)."""
        # Equation 2: softmax(M W^q ([M; x] W^k)^T / sqrt(d_k)) [M; x] W^v, by every head on its own features.
        # Code: the input's row asks as well, and the projection is normalised, all heads jointly.
        projected = block.qkv_norm(block.qkv(rows))  # (B, M, 3D)
        heads = projected.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # (B, H, M, 3V)
        q, k, v = heads.chunk(3, -1)  # (B, H, M, V) each; d_k = V
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5  # (B, H, M, M): each row asks each column
        attention = torch.softmax(scores, -1)  # (B, H, M, M): every row sums to 1
        attended = (attention @ v).transpose(1, 2).flatten(2)  # heads side by side: (B, M, H V) = (B, M, D)
        return attended, attention

    def row_mlp(self, rows: Tensor) -> Tensor:
        """Apply the MLP of g_psi to every row of (B, M, D): ReLU between the layers, none after the last."""
        for number, layer in enumerate(self.mlp):
            rows = layer(F.relu(rows) if number else rows)  # (B, M, D)
        return rows


def main() -> None:
    """Show an untrained core at work: shapes, the memory step by step, the attention of one step."""
    parser = argparse.ArgumentParser(description="A small, untrained Relational Memory Core at work.")
    parser.add_argument("--seed", type=int, default=0, help="decides the weights and the inputs (default 0)")
    torch.manual_seed(parser.parse_args().seed)
    core = RelationalMemory(input_size=5, mem_slots=3, head_size=2, num_heads=2)
    inputs = torch.randn(1, 4, 5)  # (B = 1, T = 4, F = 5)

    with torch.no_grad():
        outputs, last = core(inputs)
        print("Shapes")
        for name, x in {
            "inputs (B, T, F)": inputs,
            "outputs (B, T, N D)": outputs,
            "memory (B, N, D)": last,
        }.items():
            print(f"  {name:20} {tuple(x.shape)}")
        print("  parameters          ", sum(parameter.numel() for parameter in core.parameters()))

        print(
            "\nThe memory, a line for every slot: unit vectors at first, and every input changes every slot"
        )
        memory = core.initial_state(1)
        print_rows("  start ", memory[0])
        for t, x in enumerate(inputs.unbind(1)):
            memory, attention = core.step(x, memory)
            print_rows(f"  step {t + 1}", memory[0])

    print("\nAttention in the last step: how much each slot (line) takes from each slot and from the input")
    for head, weights in enumerate(attention[0]):  # (N, M)
        print(f"  head {head + 1}" + "".join(f"  slot {n + 1}" for n in range(len(weights))) + "   input")
        for n, row in enumerate(weights.tolist()):
            print(f"  slot {n + 1}" + "".join(f"{weight:8.2f}" for weight in row))


def print_rows(title: str, rows: Tensor) -> None:
    """Print the rows of a matrix below each other."""
    for number, row in enumerate(rows.tolist()):
        print(title if number == 0 else " " * len(title), "".join(f"{value:8.2f}" for value in row))


if __name__ == "__main__":
    main()
