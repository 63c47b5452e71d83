"""Run the command line: `python -m refdot` is the same as `refdot`."""

import sys

from refdot.cli import main

if __name__ == "__main__":
    sys.exit(main())
