"""Slides and letters, which LibreOffice turns into PDF."""
