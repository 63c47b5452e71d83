"""`python -m refdot` is `refdot`."""

import sys

from refdot.cli import main

if __name__ == "__main__":
    sys.exit(main())
