"""Where the worker is, one module each."""
