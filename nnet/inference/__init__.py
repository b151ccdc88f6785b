"""From utterances to embeddings: whole or in windows."""
