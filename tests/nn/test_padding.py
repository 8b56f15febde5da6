"""Padded batches of a language model: what padding holds has no influence, and what a mask must be."""

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from relational_rnn.nn import LSTM, LanguageModel, RelationalMemory  # noqa: E402

PADDING = torch.tensor([[True, False, True, False], [True, True, True, True], [False, False, False, True]])


def test_what_padding_holds_has_no_influence():
    generator = torch.Generator().manual_seed(0)
    core = RelationalMemory(5, 2, 4, 2, batch_first=True, initial_memory="trainable", generator=generator)
    model = LanguageModel(core, 9, 5, generator=generator)
    embedded = torch.randn(3, 4, 5, generator=generator)
    found = []
    for filled in (0.0, torch.nan):
        rows = embedded.masked_fill(PADDING.unsqueeze(-1), filled).requires_grad_()
        features, memory = model.read(rows, padding_mask=PADDING)
        (features.square().sum() + memory.square().sum()).backward()
        found.append((features.detach(), memory.detach(), rows.grad))
        assert rows.grad[PADDING].eq(0).all()
    for plain, strange in zip(*found, strict=True):
        assert plain.equal(strange)
    assert core.initial_memory.grad.isfinite().all()
    assert found[0][1][1].equal(core.initial_memory)  # a row of padding alone


def test_masks_that_are_none():
    tokens = torch.zeros(3, 4, dtype=torch.int64)
    model = LanguageModel(RelationalMemory(5, 2, 4, batch_first=True), 9, 5)
    for mask, error, told in (
        (
            PADDING.long(),
            TypeError,
            "padding_mask must be a torch.bool tensor on cpu, got torch.int64 on cpu",
        ),
        ([True], TypeError, "padding_mask must be a torch.bool tensor on cpu, got list"),
        (PADDING[:, :3], ValueError, r"padding_mask must have shape .* T = 4; got \(3, 3\)"),
    ):
        with pytest.raises(error, match=told):
            model(tokens, padding_mask=mask)
    with pytest.raises(ValueError, match=r"state must have shape .*; got \(1, 2, 4\)"):
        model(tokens, torch.zeros(1, 2, 4), padding_mask=PADDING)
    with pytest.raises(TypeError, match="padding_mask is for a RelationalMemory, the core is LSTM"):
        LanguageModel(LSTM(5, 6, batch_first=True), 9, 5)(tokens, padding_mask=PADDING)
