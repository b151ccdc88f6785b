"""The ground floor, which every package may use: errors, programs, options, YAML, whole files, progress."""
