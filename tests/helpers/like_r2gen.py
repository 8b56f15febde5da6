"""A small model with R2Gen's names, which does what R2Gen does when it decodes; R2Gen's code is not here."""

import torch
from torch import nn

from helpers.model_zoo import generator
from relational_rnn.interop.r2gen import ConditionalLayerNorm, R2GenMemory, export_r2gen

D, N, HEADS, WORDS = 8, 3, 2, 11


def make_memory(seed=0, **options):
    return R2GenMemory(D, N, HEADS, dtype=torch.float64, generator=generator(seed), **options).eval()


class TheirMemory(nn.Module):
    """A memory under R2Gen's names, which returns what R2Gen's does: no state."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.num_heads, self.num_slots = (inner,), inner.num_heads, inner.num_slots
        self.attn = nn.Module()
        self.attn.dropout = nn.Dropout(0.25)
        for name, x in export_r2gen(inner, prefix="").items():
            *path, leaf = name.split(".")
            at = self
            for part in path:
                if not hasattr(at, part):
                    at.add_module(part, nn.Module())
                at = getattr(at, part)
            at.register_parameter(leaf, nn.Parameter(x))
        self.steps = 0

    def forward(self, inputs, memory=None):
        self.steps += inputs.shape[1]
        return self.inner[0](inputs)[0]


class Decoder(nn.Module):
    """Attends to the past under `tgt_mask` and to the image; normalised by the memory."""

    def __init__(self):
        super().__init__()
        self.norm = ConditionalLayerNorm(D, N, D, dtype=torch.float64, generator=generator(4))

    def forward(self, x, hidden_states, src_mask, tgt_mask, memory):
        normed = self.norm(x, memory)
        scores = (normed @ normed.transpose(1, 2)).masked_fill(tgt_mask == 0, -1e9)
        return scores.softmax(-1) @ normed + hidden_states.mean(1, keepdim=True)


class Model(nn.Module):
    def __init__(self, memory):
        super().__init__()
        self.rm, self.decoder = TheirMemory(memory), Decoder()
        self.tgt_embed = nn.Embedding(WORDS, D, dtype=torch.float64)

    def decode(self, hidden_states, src_mask, tgt, tgt_mask):
        return self.decoder(
            self.tgt_embed(tgt), hidden_states, src_mask, tgt_mask, self.rm(self.tgt_embed(tgt))
        )


class EncoderDecoder(nn.Module):
    """What decodes: `core` takes the newest token and returns its features and the next state."""

    def __init__(self):
        super().__init__()
        self.model = Model(make_memory())

    def core(self, it, fc_feats_ph, att_feats_ph, memory, state, mask):
        ys = it[:, None] if not state else torch.cat([state[0][0], it[:, None]], 1)
        visible = torch.ones(1, ys.shape[1], ys.shape[1]).tril()
        return self.model.decode(memory, mask, ys, visible)[:, -1], [ys[None]]
