"""Figures of the report, drawn by matplotlib: numbers in, `Drawing` out. matplotlib is imported where it is used."""
