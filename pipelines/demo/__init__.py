"""The demo build: real inputs as sources, some of them damaged, and counts for a laptop."""
