"""HTML, Markdown, EPUB and WARC: what a browser shows."""
