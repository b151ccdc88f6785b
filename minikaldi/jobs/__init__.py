"""Parallel jobs on this machine, as run.pl runs them."""
