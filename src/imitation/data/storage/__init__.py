"""Formats on disk: Arrow columns, one file an episode, infos, and legacy files."""
