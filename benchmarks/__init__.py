"""Benchmarks: what the scan and the training step cost, against rivals measured beside them."""
