"""From shards to batches: curriculum, index, order, loader."""
