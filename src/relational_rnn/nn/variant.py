"""The core with one thing done otherwise: a fault of the public PyTorch ports, or its layer norms elsewhere.

For experiments only, to measure what each costs. The right core is `nn.RelationalMemory`, and as long as
nothing is done otherwise this is equal to it.
"""

from __future__ import annotations

from typing import Final, Unpack

import torch
from torch import Tensor, nn

from relational_rnn.config import CoreOptions, Trace
from relational_rnn.config.checks import check_bool, check_choice, check_shape
from relational_rnn.kernels import eager
from relational_rnn.nn.inputs import check_state, check_tensor, refuse_sparse_gradients
from relational_rnn.nn.relational_memory import RelationalMemory

BLOCK_NORMS: Final = ("post", "pre", "none")
"""Where the two layer norms of a block can be."""


class VariantRelationalMemory(RelationalMemory):
    """`RelationalMemory` with what others do otherwise than the authors' code.

    The input is appended as a row; sequences come padded and batch first, without resets.

    Source: of the faults github.com/L0SG/relational-rnn-pytorch, `relational_rnn_general.py`, the most
    copied port; of where layer norms can be, Xiong et al. 2020 (arXiv:2002.04745), figure 1.

    Args:
        input_size, mem_slots, head_size, num_heads, device, dtype, generator, **options: as of
            `RelationalMemory`.
        tied_mlp: all layers of the row-wise MLP are one and the same (the port multiplies a list of one).
        final_relu: a ReLU follows the last layer of the row-wise MLP too, so it can only add.
        joint_norm: layer norm over all rows and features together, with a weight for each of them, so that
            one row's size changes the others.
        qkv_norm: queries, keys and values are normalised together; False as in the paper's text.
        block_norms: "post": after each residual sum, as the authors have them; "pre": on what goes into the
            attention and into the row-wise MLP, so that the sums themselves never are normalised; "none".

    Raises:
        TypeError: a switch is no bool; as `RelationalMemory`.
        ValueError: an option that the ports do not have; block norms of another kind; layer norms elsewhere
            with `use_layer_norm=False`; as `RelationalMemory`.

    Example:
        >>> core = VariantRelationalMemory(5, mem_slots=3, head_size=4, num_heads=2, joint_norm=True)
        >>> core(torch.zeros(7, 11, 5))[0].shape
        torch.Size([7, 11, 24])
    """

    def __init__(
        self,
        input_size: int,
        mem_slots: int,
        head_size: int,
        num_heads: int = 1,
        *,
        tied_mlp: bool = False,
        final_relu: bool = False,
        joint_norm: bool = False,
        qkv_norm: bool = True,
        block_norms: str = "post",
        batch_first: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
        **options: Unpack[CoreOptions],
    ) -> None:
        super().__init__(
            input_size,
            mem_slots,
            head_size,
            num_heads,
            batch_first=batch_first,
            device=device,
            dtype=dtype,
            generator=generator,
            backend="eager",
            **options,
        )
        config = self.config
        if not self.batch_first or config.input_fusion != "append" or config.treat_input_as_matrix:
            raise ValueError("a variant takes batch_first=True, input_fusion='append' and one input row")
        self.final_relu = check_bool("final_relu", final_relu)
        if check_bool("tied_mlp", tied_mlp) and config.use_mlp:
            self.mlp = nn.ModuleList([self.mlp[0]] * config.attention_mlp_layers)
        self.qkv_norm = check_bool("qkv_norm", qkv_norm)
        self.block_norms = check_choice("block_norms", block_norms, BLOCK_NORMS)
        if not config.use_layer_norm and (not qkv_norm or block_norms != "post"):
            raise ValueError("with use_layer_norm=False there are no layer norms to have elsewhere")
        if not qkv_norm:
            self._drop("qkv_norm")
        if block_norms == "none":
            self._drop("attention_norm", "mlp_norm")
        if check_bool("joint_norm", joint_norm):
            for block in self.blocks:
                for name, norm in block.named_children():
                    if isinstance(norm, nn.LayerNorm):
                        sizes = (config.mem_slots + 1, *norm.normalized_shape)
                        like = norm.weight
                        setattr(block, name, nn.LayerNorm(sizes, device=like.device, dtype=like.dtype))

    def _parameters_by_name(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for path, leaves in self._parameter_paths.items():
            owner = self.get_submodule(".".join(path))
            found |= {name: getattr(owner, leaf) for name, leaf in leaves}
        return found

    def _drop(self, *norms: str) -> None:
        """Take layer norms, and with them their parameters, out of every block that has them."""
        for number, block in enumerate(self.blocks):
            for name in norms:
                if self._parameter_paths.pop(("blocks", str(number), name), None) is not None:
                    delattr(block, name)

    def forward(  # type: ignore[override]
        self, input: Tensor, state: Tensor | None = None, *, return_trace: bool = False
    ) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Trace]:
        """Run the core over sequences.

        Args:
            input: (B, T, F).
            state: (B, N, D) before the first step; None means `initial_state`.
            return_trace: also return attention and gates of every step.

        Returns:
            The outputs (B, T, output_size), the last memory (B, N, D), and the `config.Trace` if asked for.

        Raises:
            TypeError: not a tensor, or another dtype or device than the parameters'.
            ValueError: wrong shape.
        """
        config, parameters = self.config, self._parameters_by_name()
        check_tensor("input", input, self.input_projection.weight)
        check_shape("input", input.shape, ("B", "T", *config.input_axes), **config.input_sizes)
        if state is None:
            memory = self.initial_state(input.shape[0])
        else:
            check_state("state", state, input.shape[0], config, self.input_projection.weight)
            memory = state
        trace = check_bool("return_trace", return_trace)
        rows = eager.linear(parameters, "input_projection", input)  # (B, T, D)
        memories, traces = [], []
        for row in rows.split(1, dim=1):
            new, attention = self._relate(parameters, memory, row, trace)
            memory, *gates = self._gate(parameters, memory, new, row)
            memories.append(memory)
            if trace:
                traces.append(Trace(attention, *gates))
        outputs = self._read(parameters, input, torch.stack(memories, 1))
        refuse_sparse_gradients(self, outputs, memory)
        if not trace:
            return outputs, memory
        return outputs, memory, eager.stack_traces(traces, input.shape[0])

    def _relate(
        self, parameters: eager.Parameters, memory: Tensor, row: Tensor, trace: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return the candidate memory and the slots' attention (B, blocks, H, N, M) if asked for."""
        config, attentions = self.config, []

        def norm(here: bool, name: str, x: Tensor) -> Tensor:
            return eager.norm(config, parameters, name, x) if here else x

        pre, post = self.block_norms == "pre", self.block_norms == "post"
        rows = torch.cat([memory, row], 1)  # (B, M = N + 1, D); all go all the way, for joint norms see them
        for block in range(config.num_blocks):
            name = f"blocks.{block}"
            projected = eager.linear(parameters, f"{name}.qkv", norm(pre, f"{name}.attention_norm", rows))
            projected = norm(self.qkv_norm, f"{name}.qkv_norm", projected)
            attended, weights = eager.attend(config, projected, None, rows.shape[1], trace)
            if weights is not None:
                attentions.append(weights[:, :, : config.mem_slots])
            rows = attended + rows if config.use_residual else attended
            rows = norm(post, f"{name}.attention_norm", rows)
            if config.use_mlp:
                mixed = eager.row_mlp(config, parameters, norm(pre, f"{name}.mlp_norm", rows))
                mixed = torch.relu(mixed) if self.final_relu else mixed
                rows = rows + mixed if config.use_residual else mixed
                rows = norm(post, f"{name}.mlp_norm", rows)
        return rows[:, : config.mem_slots], torch.stack(attentions, 1) if trace else None

    def _gate(
        self, parameters: eager.Parameters, memory: Tensor, new: Tensor, row: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Let the gates choose between the memory and the candidate; return the next memory and the gates."""
        config = self.config
        if not config.gate_width:
            return new, None, None
        gates = eager.linear(parameters, "gate_memory", torch.tanh(memory))  # (B, N, 2G)
        gates = gates + eager.with_offsets(config, eager.linear(parameters, "gate_input", row))
        return eager.blend(gates, new, memory)
