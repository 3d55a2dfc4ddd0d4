"""The web page: its files, and the calls that only it makes."""
