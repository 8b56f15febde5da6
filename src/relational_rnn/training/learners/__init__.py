"""What trains a model step by step: a learner for each framework."""
