"""How a completion network answers: HTTP, gRPC and a web page."""
