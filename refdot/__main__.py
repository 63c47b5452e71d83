"""Run the command line: `python -m refdot` is the same as `refdot`."""

import sys

from refdot.cli.supervision import supervised_main

if __name__ == "__main__":
    sys.exit(supervised_main())
