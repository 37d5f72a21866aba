"""Keep warnings, log lines and the output of compilers off the screen."""

import contextlib
import logging
import warnings
from collections.abc import Iterator

from ..measure.system import silence_stderr


@contextlib.contextmanager
def no_warnings() -> Iterator[None]:
    """Suppress warnings and log lines of Python code; the report says what matters of them."""
    disabled_before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(disabled_before)


@contextlib.contextmanager
def silence_all() -> Iterator[None]:
    """Suppress also what compilers and converters write, which does not pass through Python."""
    with silence_stderr(), no_warnings():
        yield
