"""Acoustic features and waves as numbers: no tables, no files except in `audio` and `wave_cache`."""
