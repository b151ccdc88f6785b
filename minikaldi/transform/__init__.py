"""Transforms of features as arrays: mean and variance normalisation from statistics; no tables, no streams."""
