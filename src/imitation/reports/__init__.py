"""Self-contained HTML reports: pages, plots as SVG, animations, bootstrap intervals.

`page.Report` takes sections made of `blocks`, `plots` and `animation`; what it writes
is one file without scripts or requests, for screens of any width, light or dark, and
for paper.
"""
