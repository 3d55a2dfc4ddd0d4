"""The small program that starts and watches native runs; it uses the standard library alone."""
