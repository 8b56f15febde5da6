"""What a core is: configurations, the axis legend, checks."""

from relational_rnn.config.axes import AXES
from relational_rnn.config.core import RelationalMemoryConfig, Trace, check_parameters, parameter_shapes

__all__ = ["AXES", "RelationalMemoryConfig", "Trace", "check_parameters", "parameter_shapes"]
