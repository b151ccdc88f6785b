"""The mini corpus: synthetic speakers, sessions, noises, music and rooms, deterministic for a seed."""
