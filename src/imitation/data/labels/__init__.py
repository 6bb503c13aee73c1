"""Comparisons that people make: what they are shown, the queue, and what they said."""
