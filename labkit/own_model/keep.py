"""Write the converted file of the recommended candidate, and never over a file that exists."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..course.files import write_atomically
from ..show import stop
from .candidates import CONCRETE, FUNCTION, LITERT, ORT, XLA, Case
from .causes import last_cause
from .origin import Origin
from .paths import BadModel, refuse_inside
from .silence import silence_all
from .usage import converted_name

_GRAPHS = (FUNCTION, CONCRETE, XLA)


def check_folder(folder: str | os.PathLike, sources: Iterable[object] = ()) -> Path:
    """Return the folder for converted files; raise BadModel if nothing can be written there.

    `sources` are the models: nothing is written into one of them.
    """
    if not str(folder).strip():
        raise BadModel("no folder was given for the converted model")
    target = Path(folder).expanduser()
    if target.exists() and not target.is_dir():
        raise BadModel(f"{target.name} is a file: give a folder for the converted model")
    refuse_inside(target, sources)
    if not target.exists() and not target.parent.is_dir():
        raise BadModel(f"there is no folder {target.parent.name}: make it first")
    writable = target if target.exists() else target.parent
    if not os.access(writable, os.W_OK):
        raise BadModel(f"the folder {writable.name or '.'} is read-only")
    return target


def check_names(folder: str | os.PathLike, origin: Origin, force: bool) -> None:
    """Raise BadModel if a converted model would be in the way of a file that exists."""
    if force or origin.path is None:
        return
    for name in (*_GRAPHS, LITERT, ORT):
        target = Path(folder).expanduser() / converted_name(origin, name)
        if target.exists():
            raise BadModel(
                f"{target.name} exists in this folder: give another folder, or force (--force)"
            )


def keep(origin: Origin | None, name: str, folder: str | os.PathLike, force: bool) -> Path:
    """Write the model as a candidate calls it into a folder, and return the new path.

    Raise BadModel if the candidate calls the model as it is, if the file exists and `force` is
    false, or if it cannot be written.
    """
    target_folder = check_folder(folder)
    if origin is None or origin.case is None or not makes_file(origin, name):
        raise BadModel(f"nothing was converted: {name} calls the model as it is")
    target = target_folder / converted_name(origin, name)
    if target.exists() and not force:
        raise BadModel(
            f"{target.name} exists in this folder: give another folder, or force (--force)"
        )
    is_new = not target_folder.exists()
    try:
        target_folder.mkdir(exist_ok=True)
        if name in origin.case.converted:
            if target.is_dir():
                raise BadModel(f"{target.name} is a folder: give another folder")
            write_atomically(target, origin.case.converted[name].content)
        else:
            _save_graph(origin.case, name, target)
    except OSError as error:
        raise BadModel(f"{target.name} cannot be written: {error.strerror or error}") from None
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # something is in it
                target_folder.rmdir()
    return target


def makes_file(origin: Origin | None, name: str) -> bool:
    """Return whether there is something to write for a candidate."""
    if origin is None or origin.case is None:
        return False
    return name in origin.case.converted or (origin.case.loaded.keras and name in _GRAPHS)


def _save_graph(case: Case, name: str, target: Path) -> None:
    """Write a SavedModel whose endpoint `serve` is the graph; the folder appears as a whole."""
    if target.exists() and not (target / "saved_model.pb").exists():
        raise BadModel(f"{target.name} is no SavedModel, so it is not replaced")
    beside = target.with_name(f".labkit-{uuid.uuid4().hex}")
    try:
        with silence_all():
            _export(case, name, beside)
        if target.exists():
            shutil.rmtree(target)
        os.replace(beside, target)
    except OSError:
        raise
    except Exception as error:  # a model may have what a SavedModel cannot hold
        stop.raise_if_requested()
        raise BadModel(f"{target.name} cannot be written: {last_cause(error)}") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _export(case: Case, name: str, target: Path) -> None:
    import keras
    import tensorflow as tf

    jit_compile = True if name == XLA else None
    graph = tf.function(case.loaded.call, jit_compile=jit_compile)

    def serve(x: Any) -> Any:
        return graph(x)

    archive = keras.export.ExportArchive()
    archive.track(case.loaded.model)
    archive.add_endpoint("serve", serve, input_signature=[_any_batch(case, name)])
    archive.write_out(str(target), verbose=False)


def _any_batch(case: Case, name: str) -> Any:
    """Return what the endpoint takes: any number of rows, unless the graph is for one number."""
    import tensorflow as tf

    if name in (CONCRETE, XLA):
        return case.spec

    def opened(leaf: Any) -> Any:
        return tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype, name=leaf.name)

    return tf.nest.map_structure(opened, case.spec)
