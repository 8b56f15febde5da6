"""How models learn: one loop and one run for all tasks; of it only `learners` needs torch."""
