"""The arithmetic of the embedding commands: LDA, PLDA, length normalisation, EER; no tables, no streams."""
