"""Summaries of many runs: scores per environment, aggregates, comparisons.

`collect` reads the runs of a folder, `summary` scores them against one expert and one
random policy per environment, `aggregates` computes the statistics, and `markdown`,
`tables` and `html` write them down.
"""
