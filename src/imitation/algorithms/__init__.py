"""Imitation and reward learning algorithms, one module each."""
