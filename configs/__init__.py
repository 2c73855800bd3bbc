"""One file per experiment; each has `get_config()`."""
