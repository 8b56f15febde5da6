"""Training and evaluation of torch models."""
