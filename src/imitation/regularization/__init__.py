"""Regularization of networks' weights, of a strength that may adapt while training."""
