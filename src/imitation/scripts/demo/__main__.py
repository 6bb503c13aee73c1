"""``python -m imitation.scripts.demo`` is ``imitation demo``."""

import sys

from imitation.scripts.demo import main

if __name__ == "__main__":
    sys.exit(main())
