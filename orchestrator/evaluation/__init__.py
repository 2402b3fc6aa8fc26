"""Plays data sets of known truth through the shipped flows and counts what came out right."""
