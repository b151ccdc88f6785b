"""Jobs side by side on this machine, as run.pl runs them."""
