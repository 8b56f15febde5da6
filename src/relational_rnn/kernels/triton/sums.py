"""The gradients of parameters and inputs, from what the steps left: products over many steps at once."""

from __future__ import annotations

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.kernels.backend import Gradients
from relational_rnn.kernels.fused.backward import input_backward
from relational_rnn.kernels.fused.core import Core
from relational_rnn.kernels.fused.forward import InputProjection
from relational_rnn.kernels.fused.parameter_gradients import Totals
from relational_rnn.kernels.triton.recurrence import BackwardRun
from relational_rnn.kernels.triton.steps import multiply


class Sums:
    """Adds up the gradients of the parameters, and fills those of the inputs."""

    def __init__(
        self,
        config: RelationalMemoryConfig,
        inputs: Tensor,
        needed: frozenset[str],
        compute_dtype: torch.dtype | None,
    ) -> None:
        self.config, self.inputs, self.needed = config, inputs, needed
        self.totals = Totals(needed, compute_dtype)
        wanted = "inputs" in needed
        self.d_inputs = torch.empty_like(inputs, memory_format=torch.contiguous_format) if wanted else None

    def add(self, run: BackwardRun, span: slice) -> None:
        """Add what some steps, those of `span`, contribute: products over all of them."""
        config, buffers, gradients = self.config, run.buffers, run.gradients
        products = {"blocks.0.qkv": ("d_projected", "operand")}
        for layer in range(config.attention_mlp_layers):
            products[f"mlp.{layer}"] = f"d_mlp.{layer}", f"hidden.{layer}"
        d_gates = None
        if config.gate_width:
            d_gates = gradients["d_gates"]
            products["gate_memory"] = "d_logits", "squashed"
            self.totals.add("gate_memory.bias", d_gates.sum((0, 1)))
        for name, (d_y, x) in products.items():
            weight = f"{name}.weight"
            if weight in self.needed:
                d_weight = torch.empty_like(run.given[weight], dtype=buffers["before"].dtype)
                multiply(gradients[d_y].flatten(0, 1).t(), buffers[x].flatten(0, 1), d_weight)
                self.totals.add(weight, d_weight)
        core = Core(config, run.given)
        first = core.norm("blocks.0.qkv_norm", buffers["unnormed"])
        d_work = InputProjection(torch.empty_like(buffers["rows"]), None, gradients["d_first"], None, d_gates)
        inputs = self.inputs[span]
        d_inputs = input_backward(core, inputs, buffers, first, d_work, self.totals)
        if self.d_inputs is not None and d_inputs is not None:
            self.d_inputs[span] = d_inputs

    def gradients(self, run: BackwardRun, resets: Tensor | None) -> Gradients:
        """Return all of them after the last run, that of the first step."""
        d_initial = run.carry["sum.initial"]
        d_memory = run.carry["d_direct"] + run.carry["d_through"]
        if resets is not None:
            restarted = resets[: len(d_memory), None, None]
            d_initial = d_initial + torch.where(restarted, d_memory, 0)
            d_memory = torch.where(restarted, 0, d_memory)
        for name, x in run.carry.items():
            if name.startswith("sum.") and name != "sum.initial":
                self.totals.add(name.removeprefix("sum."), x.sum(0))
        return Gradients(self.d_inputs, d_memory, d_initial.sum(0), self.totals.found)
