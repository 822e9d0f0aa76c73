"""Documents as images of pages, each with the characters that it shows and where they stand."""
