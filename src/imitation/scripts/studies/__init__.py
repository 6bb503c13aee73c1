"""Studies: many runs of a command on Ray Tune, which no kill makes forget anything.

`spaces` writes search spaces as plain data, `journal` keeps what every trial is and
found, `search` proposes trials, `trial` runs one in a worker, `study` runs them all.
"""
