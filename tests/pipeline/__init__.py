"""The recipe as a user meets it."""
