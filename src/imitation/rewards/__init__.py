"""Reward functions: what they promise, and the networks that learn them."""
