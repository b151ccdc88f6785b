"""The YAML of an experiment: its sections, what is changed of it, and where its files lie."""
