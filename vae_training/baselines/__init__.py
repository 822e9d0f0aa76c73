"""What an autoencoder is to beat: codecs, filters and skips without any weights."""
