"""Environments, and wrappers that make environments fit for reward learning."""
