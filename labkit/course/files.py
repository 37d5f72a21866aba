"""The folder of the learner, and replacing a file as a whole: never half of the new content."""

import contextlib
import os
import uuid
from pathlib import Path

_COURSE = Path(__file__).resolve().parents[2]


def workspace_folder() -> Path:
    """Return the folder of the learner's copies of the lessons."""
    return Path(os.environ.get("LABKIT_WORKSPACE") or _COURSE / "workspace").resolve()


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace the content of a file; if that fails, the file stays as it was and OSError is raised.

    Text is written as UTF-8 with its line ends unchanged. The content goes into a new file in the
    same folder, which then takes the place of `path` in one step. A symbolic link at `path` is
    replaced; the file it points to stays as it was.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    # Unique, as two programs may write the same file, and short whatever the length of the name.
    beside = path.with_name(f".labkit-{uuid.uuid4().hex}.part")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # some disks report that they are full only now
        os.replace(beside, path)
    except OSError as error:
        # The error names the file that the reader knows, not the one beside it.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
