"""How a CPU's cores are shared: several utterances at one time, each computed by few threads.

Threads that compute one utterance together wait for each other after every layer, and spin meanwhile; two utterances
side by side do not. And a result depends, in its last bits, on how many threads computed it: the number is fixed.
"""

from __future__ import annotations

import os

import torch

from models.cores import cores

VARIABLE = "OMP_NUM_THREADS"


def threads_per_call() -> int:
    """How many threads compute one utterance: 1, unless the variable that all such libraries know says otherwise."""
    given = os.environ.get(VARIABLE, "")
    return max(1, int(given)) if given.isascii() and given.isdigit() else 1


def lanes() -> int:
    """How many utterances are computed side by side."""
    return max(1, cores() // threads_per_call())


def share_cores() -> None:
    """From now on every thread of this process computes with `threads_per_call`."""
    torch.set_num_threads(threads_per_call())
