"""`python -m relational_rnn` is the command `relational-rnn`."""

import sys

from relational_rnn.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
