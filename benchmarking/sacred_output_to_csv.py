"""Prints the runs of a folder as CSV: ``python sacred_output_to_csv.py DIR``.

The documented name of ``imitation benchmark_summary DIR --format csv``.
"""

import sys

from imitation.scripts import benchmark_summary

if __name__ == "__main__":
    sys.exit(benchmark_summary.main([*sys.argv[1:], "--format", "csv"]))
