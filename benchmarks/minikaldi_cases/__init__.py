"""The parts of benchmarks/minikaldi.py: how a command is measured, on which data, and what is made of the figures."""
