"""From shards to batches: index, validation split, order, loader."""
