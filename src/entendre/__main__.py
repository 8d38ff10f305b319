"""`python -m entendre` is the command `entendre`."""

import sys

from entendre.cli import main

if __name__ == "__main__":
    sys.exit(main())
