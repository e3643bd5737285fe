"""HTTP, and nothing else: what comes in, who may ask, what goes out."""
