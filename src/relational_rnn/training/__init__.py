"""How models learn: `common` needs no torch, `torch` trains torch models."""
