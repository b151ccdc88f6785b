"""Augmented copies of a data directory as wav.scp lines: noises, rooms, speeds."""
