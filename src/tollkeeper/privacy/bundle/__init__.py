"""A person's copy as a file: written in one pass, checked by anybody, taken in by another house."""
