"""Doubles and contract suites, for us and for people with platforms of their own."""
