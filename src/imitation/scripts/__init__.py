"""Commands, run as ``python -m imitation.scripts.NAME`` or ``imitation NAME``."""
