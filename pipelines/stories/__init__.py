"""What became of one image, and of all that share a fate, told from the files of a corpus."""
