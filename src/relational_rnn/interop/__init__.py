"""Where the NumPy and the torch world meet, and weights in other people's formats."""

from relational_rnn.interop.parameters import get_gradients, get_parameters, set_parameters

__all__ = ["get_gradients", "get_parameters", "set_parameters"]
