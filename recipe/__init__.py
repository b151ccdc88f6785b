"""What ./pipeline.sh needs beside its stages: their markers, times and counts, the guard of its processes."""
