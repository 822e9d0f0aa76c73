"""What a build would give and cost, from a sample: nothing of a corpus is written."""
