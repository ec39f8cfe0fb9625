"""Photo files: bytes to pixels and back, with nothing lost, and nothing about networks."""
