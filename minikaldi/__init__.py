"""Kaldi's commands for machines without Kaldi, in Python and numpy: same names, options, files and numbers."""
