"""Off-policy imitation: replay in which half of every batch is the expert's.

What `imitation.algorithms.sqil` and `imitation.algorithms.iq_learn` share.
"""
