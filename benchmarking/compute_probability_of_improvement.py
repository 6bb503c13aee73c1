"""Compares two folders of runs: ``python ... RUNS_DIR BASELINE_DIR [--algo ALGO]``.

The documented name of ``imitation probability_of_improvement``.
"""

import sys

from imitation.scripts import probability_of_improvement

if __name__ == "__main__":
    sys.exit(probability_of_improvement.main())
