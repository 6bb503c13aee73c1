"""Settings and named presets of the commands, as tables."""
