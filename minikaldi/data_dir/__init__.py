"""Kaldi's data directories: their tables, and the scripts of utils/ that check, mend, combine and cut them."""
