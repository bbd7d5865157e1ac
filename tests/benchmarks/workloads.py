"""The four workloads of the performance page, as task arrays of no-ops or of `/bin/true`."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["WORKLOADS", "task_file"]

#: What each is, for the table.
WORKLOADS = {
    "W1": "independent",
    "W2": "chain",
    "W3": "root, N-2, merge",
    "W4": "layers of 100, each on 3 of the layer before",
}

_LAYER = 100


def task_file(workload: str, count: int, *, executor: str = "noop") -> bytes:
    """Return a task array of *count* tasks as bytes; `executor="command"` runs `/bin/true`."""
    tasks: list[dict[str, Any]] = []
    for i in range(count):
        task: dict[str, Any] = {"id": f"t{i}", "executor": executor}
        if executor == "command":
            task["inputs"] = {"argv": ["/bin/true"]}
        dependencies = _dependencies(workload, i, count)
        if dependencies:
            task["dependencies"] = [f"t{j}" for j in dependencies]
        tasks.append(task)
    return json.dumps(tasks).encode()


def _dependencies(workload: str, i: int, count: int) -> list[int]:
    match workload:
        case "W1":
            return []
        case "W2":
            return [i - 1] if i else []
        case "W3":
            if i == 0:
                return []
            return list(range(1, count - 1)) if i == count - 1 else [0]
        case "W4":
            layer = i // _LAYER
            first = (layer - 1) * _LAYER
            return sorted({first + (i * 7 + k * 13) % _LAYER for k in range(3)}) if layer else []
        case _:
            raise ValueError(workload)
