"""From data directories to training batches: lists, the held-out share, loaders, samplers."""
