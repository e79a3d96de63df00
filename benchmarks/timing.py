"""What many measured times are told in."""

from __future__ import annotations


def figures(times: list[float], unit: float = 1000.0) -> dict[str, float]:
    """Median, p95, p99 and worst."""
    ordered = sorted(time * unit for time in times)
    at = {"median": 0.5, "p95": 0.95, "p99": 0.99, "worst": 1.0}
    return {name: round(ordered[min(len(ordered) - 1, int(len(ordered) * q))], 1) for name, q in at.items()}
