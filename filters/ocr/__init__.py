"""Text in pictures: where it stands and what it says. One protocol, one file per engine."""
