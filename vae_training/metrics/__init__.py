"""Distances between pictures, as numbers to report."""
