"""Parts that commands share: each holds its settings and the functions they drive."""
