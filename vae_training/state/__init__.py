"""What a run keeps: averaged weights, checkpoints, exported models."""
