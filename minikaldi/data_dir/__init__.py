"""Kaldi's data directories: their tables, and the scripts of utils/ that check, fix, combine and split them."""
