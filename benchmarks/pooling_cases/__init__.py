"""The parts of benchmarks/poolings.py."""
