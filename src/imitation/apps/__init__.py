"""Programs with a user interface of their own."""
