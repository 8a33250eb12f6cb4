"""Networks arranged for inference on a CPU: the same results, up to rounding, in a fraction of the time."""
