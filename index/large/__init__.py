"""Indexes over many vectors: chosen, built in a process of their own, tuned, mapped, searched."""
