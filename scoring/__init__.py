"""What Kaldi lacks after the embeddings: trials, cosine scores, error rates with intervals, the report. No torch."""
