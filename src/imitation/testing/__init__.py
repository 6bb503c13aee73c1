"""Helpers for tests of algorithms, rewards and environments, ours and yours."""
