"""Evaluate completion networks: protocol, metrics, baselines, report."""
