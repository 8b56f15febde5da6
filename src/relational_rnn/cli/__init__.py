"""The command `relational-rnn`: argv -> recipe -> run."""
