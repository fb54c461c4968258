"""Kernels of our own with a clock of their own: built, kept, booted. Knows nothing of a lab."""
