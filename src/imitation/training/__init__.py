"""Parts that every trainer shares: states, checkpoints, learned rewards, recording."""
