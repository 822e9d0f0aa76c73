"""Packing in runs: a neighbourhood reads its originals once, in order, and fills all its shards."""
