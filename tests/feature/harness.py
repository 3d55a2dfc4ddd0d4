"""What the tests of features share."""

from __future__ import annotations

from tcworker.config import Config
from tcworker.interfaces import Credentials

CONFIG = Config(root_url="https://tc.example.com", credentials=Credentials("w", "x"), worker_type="t", worker_id="i")
"""A worker whose settings say nothing but what they must."""
