"""Demonstrations: types, rollouts, storage, import and export, batches."""
