"""What a core is: configurations, the axis legend, checks."""

from relational_rnn.spec.axes import AXES
from relational_rnn.spec.core import RelationalMemoryConfig, Trace, check_parameters, parameter_shapes

__all__ = ["AXES", "RelationalMemoryConfig", "Trace", "check_parameters", "parameter_shapes"]
