"""How models learn: one loop and one run for all tasks; `learners.torch` alone needs torch."""
