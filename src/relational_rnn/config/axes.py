"""The letters that stand for array axes everywhere in the package: docstrings, annotations, messages."""

AXES: dict[str, str] = {
    "B": "batch",
    "T": "time steps",
    "N": "memory slots",
    "M": "rows that attention sees (slots + input rows)",
    "R": "input rows",
    "blocks": "attention blocks, one after the other",
    "H": "heads",
    "K": "key size of a head",
    "V": "value size of a head (head_size)",
    "D": "memory width (num_heads * head_size)",
    "F": "input features",
    "G": "gate width (D for unit gates, 1 for memory gates)",
    "L": "sequence length of attention inputs",
    "C": "classes",
}
