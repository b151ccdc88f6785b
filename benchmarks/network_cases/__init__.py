"""What benchmarks/networks.py and benchmarks/networks_mini.py are made of."""
