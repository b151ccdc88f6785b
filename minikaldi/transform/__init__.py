"""Transforms of features as numbers: mean and variance normalisation from statistics; no tables, no streams."""
