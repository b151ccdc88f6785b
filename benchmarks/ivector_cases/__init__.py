"""What benchmarks/ivector.py measures: the mixtures, and the extractor."""
