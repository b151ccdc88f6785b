"""Acoustic features and waves as arrays: no tables, and no files except in `audio` and `wave_cache`."""
