"""The photo server: HTTP and a page."""
