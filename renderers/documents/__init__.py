"""Documents as images of pages, each with the characters that it shows and where they stand."""

# Raised when the same page would get another label.
VERSION = "1"
