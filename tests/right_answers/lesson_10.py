"""Right answers to the exercises of lesson 10, in other styles than those of the solutions."""

import contextlib
import functools
import itertools
import os
import shutil
import tempfile
import uuid
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

# ---- 10.1 ----


class Score:
    """Answers rows, and keeps the loaded object."""

    def __init__(self, path):
        self.loaded = tf.saved_model.load(path)
        self.name = next(iter(self.signature.structured_input_signature[1]))

    @property
    def signature(self):
        return self.loaded.signatures["serving_default"]

    def __call__(self, rows):
        answers = self.signature(**{self.name: tf.constant(rows)})
        return next(iter(answers.values()))


def loaded_in_a_closure(path):
    model = tf.saved_model.load(path)

    def score(rows):
        signature = model.signatures["serving_default"]
        (name,) = signature.structured_input_signature[1].keys()
        return np.array(signature(**{name: rows})["output_0"])

    return score


def as_a_partial(path):
    def score(loaded, name, rows):
        return loaded.signatures["serving_default"](**{name: rows})["output_0"].numpy()

    loaded = tf.saved_model.load(path)
    inputs = loaded.signatures["serving_default"].structured_input_signature[1]
    return functools.partial(score, loaded, list(inputs)[0])  # noqa: RUF015


# ---- 10.2 ----


def with_an_archive(model, path):
    archive = keras.export.ExportArchive()
    archive.track(model)
    spec = tf.TensorSpec((None, 10), tf.float32, name="features")
    archive.add_endpoint(name="serving_default", fn=model.call, input_signature=[spec])
    archive.write_out(path, verbose=False)


def in_a_model_around_it(model, path):
    features = keras.Input((10,), name="features")
    keras.Model(features, model(features)).export(path, verbose=False)


def with_a_signature_of_its_own(model, path):
    @tf.function(input_signature=[tf.TensorSpec((None, 10), tf.float32, name="features")])
    def serve(features):
        return {"price": model(features)}

    tf.saved_model.save(model, path, signatures={"serving_default": serve})


# ---- 10.3 ----


def in_a_hidden_folder(model, base):
    with tempfile.TemporaryDirectory(dir=base, prefix=".") as home:
        part = Path(home) / "model"
        model.export(part, verbose=False)
        taken = [int(name) for name in os.listdir(base) if name.isdecimal()]
        for number in itertools.count(max(taken, default=0) + 1):
            try:
                part.rename(base / f"{number}")
            except OSError:
                continue
            return number


def looks_again(model, base):
    part = base / f"{uuid.uuid4()}.new"
    tf.saved_model.save(model, part)
    while True:
        highest = 0
        for path in base.iterdir():
            if path.is_dir() and path.name.isdigit():
                highest = max(highest, int(path.name))
        try:
            os.rename(part, os.path.join(base, str(highest + 1)))
        except OSError:
            pass
        else:
            return highest + 1


def with_shutil(model, base):
    part = base / "next"
    model.export(str(part), verbose=False)
    number = 1
    while True:
        known = [int(path.name) for path in base.glob("[0-9]*") if path.name.isdigit()]
        number = max([number - 1, *known]) + 1
        try:
            shutil.move(part, base / str(number))
            return number
        except FileExistsError:
            number += 1


# ---- 10.4 ----


def checks_by_hand(signature):
    name, spec = next(iter(signature.structured_input_signature[1].items()))
    columns = spec.shape[1]

    def answer(rows):
        batch = tf.cast(tf.convert_to_tensor(rows), spec.dtype)
        if len(batch.shape) != 2 or batch.shape[1] != columns:
            raise ValueError(f"the shape is {batch.shape}; wanted: (None, {columns})")
        return next(iter(signature(**{name: batch}).values()))

    return answer


def lets_tensorflow_check(signature):
    [[name, spec]] = signature.structured_input_signature[1].items()

    def answer(rows):
        array = np.array(rows).astype("float32")
        try:
            spec.shape.assert_is_compatible_with(array.shape)
        except ValueError as error:
            raise ValueError(f"wanted {tuple(spec.shape)}: {error}") from error
        return signature(**{name: tf.constant(array)})["output_0"].numpy()

    return answer


def compares_the_specification(signature):
    specs = signature.structured_input_signature[1]
    (name,) = specs

    def answer(rows):
        batch = tf.constant(np.asarray(rows, np.float32))
        if not specs[name].is_compatible_with(batch):
            raise ValueError(f"wrong shape {batch.shape}, wanted: {specs[name]}")
        return signature(**{name: batch})["output_0"]

    return answer


def replaces_by_keyword(model, base):
    part = base / "new.part"
    model.export(part, verbose=False)
    number = max([int(path.name) for path in base.iterdir() if path.name.isdigit()], default=0)
    while True:
        number += 1
        with contextlib.suppress(OSError):
            os.replace(src=part, dst=base / str(number))
            return number


def guards_and_says(words):
    def guarded(signature):
        [(name, spec)] = signature.structured_input_signature[1].items()

        def answer(rows):
            batch = np.asarray(rows, dtype=spec.dtype.as_numpy_dtype)
            if not spec.shape.is_compatible_with(batch.shape):
                raise ValueError(f"rows must have the shape {words(spec)}")
            return signature(**{name: batch})["output_0"]

        return answer

    return guarded


says_a_list = guards_and_says(lambda spec: spec.shape.as_list())
says_n = guards_and_says(lambda spec: f"(n, {spec.shape[1]})")


RIGHT = [
    ("10.1", "an object", Score),
    ("10.1", "a closure", loaded_in_a_closure),
    ("10.1", "a partial", as_a_partial),
    ("10.2", "an archive", with_an_archive),
    ("10.2", "a model around it", in_a_model_around_it),
    ("10.2", "a signature of its own", with_a_signature_of_its_own),
    ("10.3", "in a hidden folder", in_a_hidden_folder),
    ("10.3", "looks again", looks_again),
    ("10.3", "shutil.move", with_shutil),
    ("10.4", "checks by hand", checks_by_hand),
    ("10.4", "lets TensorFlow check", lets_tensorflow_check),
    ("10.4", "compares the specification", compares_the_specification),
    ("10.3", "by keyword", replaces_by_keyword),
    ("10.4", "says a list", says_a_list),
    ("10.4", "says n", says_n),
]
