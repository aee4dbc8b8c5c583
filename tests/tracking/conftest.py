"""One thread: the machine's cores belong to the tests beside these."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
