"""The trainer of the autoencoders: model, losses, data order, checkpoints."""
