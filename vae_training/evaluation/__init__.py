"""Measure autoencoders on folders of pictures: originals, reconstructions, metrics, results."""
