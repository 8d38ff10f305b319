"""One sans-IO codec per device protocol: bytes in, typed events out."""
