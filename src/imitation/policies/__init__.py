"""Policies that are not learnt here: bases, experts, people, exploration."""
