"""Right answers to the exercises of lesson 11, in other styles than those of the solutions."""

import os
import tempfile
from pathlib import Path


def through_a_folder_beside_it(model, path):
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        model.save(fresh)
        os.replace(fresh, path)


def through_bytes(model, path):
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / path.name
        model.save(saved)
        data = saved.read_bytes()
    fresh = path.with_suffix(".tmp")
    fresh.write_bytes(data)
    fresh.replace(path)


def retries_by_recursion(load, pause, tries=5, wait=1):
    try:
        return load()
    except Exception:
        if tries == 1:
            raise
    pause(wait)
    return retries_by_recursion(load, pause, tries - 1, 2 * wait)


RIGHT = [
    ("11.2", "through a folder beside it", through_a_folder_beside_it),
    ("11.2", "through bytes", through_bytes),
    ("11.3", "retries by recursion", retries_by_recursion),
]
