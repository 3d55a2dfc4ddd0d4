"""Unpacks archives of strangers: in a child without rights, while they still arrive, and within limits."""
