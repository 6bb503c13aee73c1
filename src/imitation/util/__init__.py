"""General utilities: artifacts, logging, networks, registries, seeding, threads."""
