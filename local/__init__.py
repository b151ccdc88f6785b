"""Stage 0: one script per corpus, corpus in, Kaldi data directory out."""
