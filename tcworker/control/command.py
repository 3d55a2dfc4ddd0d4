"""C{tcworker control}: says an order to the worker of a state directory, and prints how that worker stands."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from tcworker.config import fitting, lay_over, load_file, so_far
from tcworker.control.client import NoWorker, call
from tcworker.control.orders import Order
from tcworker.errors import ConfigError, ProcessStatus


def main(order: Order, configs: Sequence[str], state_dir: str | None) -> int:
    """Give the status to exit with.

    @param configs: files with the worker's settings, which say where its state directory is unless that is given.
    """
    try:
        folder = _state_dir_of(configs) if state_dir is None else os.path.abspath(state_dir)
        answer = call(folder, order)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except NoWorker as error:
        print(f"tcworker control: {error}", file=sys.stderr)
        return ProcessStatus.INTERNAL_ERROR
    print(json.dumps(answer, indent=2))
    return ProcessStatus.DONE


def _state_dir_of(configs: Sequence[str]) -> str:
    # Whatever else is wrong there, the worker said at its start.
    return so_far(fitting(lay_over([load_file(path) for path in configs]))).state_dir
