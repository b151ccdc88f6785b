"""The commands on embeddings and voice activity: tables and files in, tables and files out."""
