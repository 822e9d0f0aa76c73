"""The training loss: reconstruction, LPIPS, alignment with frozen features."""
