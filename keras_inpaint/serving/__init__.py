"""The photo server: an HTTP API and a page."""
