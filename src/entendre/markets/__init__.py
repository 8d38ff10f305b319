"""Language and country data, and the loader that reads it."""
