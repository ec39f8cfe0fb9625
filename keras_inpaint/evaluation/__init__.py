"""How good a completion network is: protocol, metrics, baselines, report."""
