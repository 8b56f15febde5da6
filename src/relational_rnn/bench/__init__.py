"""How fast things are: what is timed and how, without a table of results.

`measure`, `workloads` and `fwd_bwd_numpy` need no torch.
"""
