"""Content that tasks ask for, fetched from wherever it is."""
