"""Evaluation of completion networks: protocol, metrics, baselines, report."""
