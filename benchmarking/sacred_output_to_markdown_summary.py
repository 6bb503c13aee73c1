"""Summarises the runs of a folder: ``python ... DIR --output summary.md``.

The documented name of ``imitation benchmark_summary DIR --output summary.md``.
"""

import sys

from imitation.scripts import benchmark_summary

if __name__ == "__main__":
    sys.exit(benchmark_summary.main())
