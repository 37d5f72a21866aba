"""Wrong answers that people give in lesson 10, and a part of the message that each must get."""

import os
import shutil
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf


def loads_each_time(path):
    def answer(rows):
        score = tf.saved_model.load(path).signatures["serving_default"]
        [name] = score.structured_input_signature[1]
        return score(**{name: rows})["output_0"].numpy()

    return answer


def loads_at_the_first_call(path):
    held = {}

    def answer(rows):
        if not held:
            held["model"] = tf.saved_model.load(path)
        score = held["model"].signatures["serving_default"]
        [name] = score.structured_input_signature[1]
        return score(**{name: rows})["output_0"].numpy()

    return answer


def a_fixed_name(path):
    loaded = tf.saved_model.load(path)
    return lambda rows: loaded.signatures["serving_default"](input_tensor=rows)["output_0"]


def the_dict(path):
    score = tf.saved_model.load(path).signatures["serving_default"]
    [name] = score.structured_input_signature[1]
    return lambda rows: score(**{name: rows})


def keeps_only_the_function(path):
    return tf.saved_model.load(path).serve


def keeps_only_the_signature(path):
    score = tf.saved_model.load(path).signatures["serving_default"]
    [name] = score.structured_input_signature[1]
    return lambda rows: score(**{name: rows})["output_0"].numpy()


def no_function(path):
    tf.saved_model.load(path)


def plain_export(model, path):
    model.export(path, verbose=False)


def by_tensorflow(model, path):
    tf.saved_model.save(model, path)


def with_the_rows_seen(model, path):
    spec = keras.InputSpec(shape=(7, 10), dtype="float32", name="features")
    model.export(path, input_signature=[spec], verbose=False)


def saves_keras(model, path):
    model.save(str(path) + ".keras")


def numbers_in(base):
    return [int(path.name) for path in base.iterdir() if path.name.isdigit()]


def under_its_number(model, base):
    number = max(numbers_in(base), default=0) + 1
    model.export(base / str(number), verbose=False)
    return number


def copied_there(model, base):
    number = max(numbers_in(base), default=0) + 1
    with tempfile.TemporaryDirectory() as home:
        model.export(Path(home) / "model", verbose=False)
        shutil.copytree(Path(home) / "model", base / str(number))
    return number


def from_elsewhere(model, base):
    number = max(numbers_in(base), default=0) + 1
    with tempfile.TemporaryDirectory() as home:
        model.export(Path(home) / "model", verbose=False)
        os.replace(Path(home) / "model", base / str(number))
    return number


def gives_up(model, base):
    model.export(base / "new.part", verbose=False)
    number = max(numbers_in(base), default=0) + 1
    (base / "new.part").rename(base / str(number))
    return number


def counts_the_versions(model, base):
    model.export(base / "new.part", verbose=False)
    number = len(numbers_in(base)) + 1
    while True:
        try:
            os.replace(base / "new.part", base / str(number))
            return number
        except OSError:
            number += 1


def by_alphabet(model, base):
    part = base / "new.part"
    model.export(part, verbose=False)
    number = int(max((path.name for path in base.iterdir() if path.name.isdigit()), default=0)) + 1
    while True:
        try:
            os.rename(part, base / str(number))
            return number
        except OSError:
            number += 1


def the_same_number_again(model, base):
    model.export(base / "new.part", verbose=False)
    number = max(numbers_in(base), default=0) + 1
    while True:
        try:
            os.replace(base / "new.part", base / str(number))
            return number
        except OSError:
            continue


def reserves_the_number(model, base):
    model.export(base / "new.part", verbose=False)
    number = max(numbers_in(base), default=0) + 1
    while (base / str(number)).exists():
        number += 1
    (base / str(number)).mkdir()
    os.replace(base / "new.part", base / str(number))
    return number


def throws_the_other_away(model, base):
    model.export(base / "new.part", verbose=False)
    number = max(numbers_in(base), default=0) + 1
    try:
        os.replace(base / "new.part", base / str(number))
    except OSError:
        shutil.rmtree(base / str(number))
        os.replace(base / "new.part", base / str(number))
    return number


def leaves_its_folder(model, base):
    part = base / "new.part"
    model.export(part / "model", verbose=False)
    number = max(numbers_in(base), default=0) + 1
    while True:
        try:
            os.replace(part / "model", base / str(number))
            return number
        except OSError:
            number += 1


def a_text_for_a_number(model, base):
    part = base / "new.part"
    model.export(part, verbose=False)
    number = max(numbers_in(base), default=0) + 1
    while True:
        try:
            return part.replace(base / str(number)).name
        except OSError:
            number += 1


def no_number(model, base):
    part = base / "new.part"
    model.export(part, verbose=False)
    os.replace(part, base / str(max(numbers_in(base), default=0) + 1))


def no_cast(signature):
    [name] = signature.structured_input_signature[1]
    return lambda rows: signature(**{name: rows})["output_0"]


def no_check(signature):
    [name] = signature.structured_input_signature[1]
    return lambda rows: signature(**{name: tf.constant(np.asarray(rows, "float32"))})["output_0"]


def too_late(signature):
    [name] = signature.structured_input_signature[1]

    def answer(rows):
        try:
            return signature(**{name: tf.constant(np.asarray(rows, "float32"))})["output_0"]
        except tf.errors.InvalidArgumentError as error:
            raise ValueError("rows of shape (None, 10) are wanted") from error

    return answer


def no_help(signature):
    [name] = signature.structured_input_signature[1]

    def answer(rows):
        batch = np.asarray(rows, "float32")
        if batch.ndim != 2 or batch.shape[1] != 10:
            raise ValueError("wrong shape")
        return signature(**{name: batch})["output_0"]

    return answer


def wants_float64(model, path):
    features = keras.InputSpec(shape=(None, 10), dtype="float64", name="features")
    model.export(path, input_signature=[features], verbose=False)


def by_position(path):
    loaded = tf.saved_model.load(path)
    score = loaded.signatures["serving_default"]

    def answer(rows):
        [output] = score(tf.constant(rows)).values()
        return output.numpy()

    answer.loaded = loaded
    return answer


def by_serve(path):
    loaded = tf.saved_model.load(path)
    return lambda rows: loaded.serve(rows).numpy()


def the_first_free_number(model, base):
    part = base / "new.part"
    model.export(part, verbose=False)
    number = 1
    while True:
        try:
            os.replace(part, base / str(number))
            return number
        except OSError:
            number += 1


def only_the_columns(signature):
    [(name, spec)] = signature.structured_input_signature[1].items()

    def answer(rows):
        batch = np.asarray(rows, dtype=spec.dtype.as_numpy_dtype)
        if batch.shape[-1] != spec.shape[1]:
            raise ValueError(f"rows of shape {spec.shape} are wanted, got {batch.shape}")
        [output] = signature(**{name: batch}).values()
        return output.numpy()

    return answer


WRONG = [
    ("10.2", "wants float64", wants_float64, "refuses a float32 tensor"),
    (
        "10.1",
        "loads each time",
        loads_each_time,
        "model loads during three calls of your function: 3",
    ),
    (
        "10.1",
        "loads at the first call",
        loads_at_the_first_call,
        "load the model before make_score returns",
    ),
    ("10.1", "a fixed name", a_fixed_name, "an input called input_tensor"),
    ("10.1", "the dict", the_dict, "as one array"),
    ("10.1", "keeps only the function", keeps_only_the_function, "the weights are gone"),
    (
        "10.1",
        "keeps only the signature",
        keeps_only_the_signature,
        "nobody keeps the loaded object",
    ),
    ("10.1", "no function", no_function, "make_score returned nothing"),
    ("10.2", "plain export", plain_export, "the input is called"),
    ("10.2", "by TensorFlow", by_tensorflow, "the input is called inputs"),
    ("10.2", "with the rows seen", with_the_rows_seen, "the number of rows is frozen"),
    ("10.2", "saves Keras's format", saves_keras, "no SavedModel in the folder"),
    ("10.3", "under its number", under_its_number, "was written under its number"),
    ("10.3", "copied there", copied_there, "was written under its number"),
    ("10.3", "from elsewhere", from_elsewhere, "outside base"),
    ("10.3", "gives up", gives_up, "another writer took the number"),
    ("10.3", "counts the versions", counts_the_versions, "wanted: the version 14"),
    ("10.3", "by alphabet", by_alphabet, "wanted: the version 14"),
    ("10.3", "the same number again", the_same_number_again, "wanted: the next number"),
    ("10.3", "reserves the number", reserves_the_number, "an empty folder"),
    ("10.3", "throws the other away", throws_the_other_away, "the version 14"),
    ("10.3", "leaves its folder", leaves_its_folder, "left behind in base: new.part"),
    ("10.3", "a text for a number", a_text_for_a_number, "as a number"),
    ("10.3", "no number", no_number, "is a `return` missing?"),
    ("10.4", "no cast", no_cast, "is refused with"),
    ("10.4", "no check", no_check, "a ValueError"),
    ("10.4", "too late", too_late, "a check before the call"),
    ("10.4", "no help", no_help, "what helps"),
    ("10.1", "by position", by_position, "was called by position; wanted: by keyword"),
    ("10.1", "by serve", by_serve, "no signature was called"),
    (
        "10.3",
        "the first free number",
        the_first_free_number,
        "the version 14: the highest was 12, and another writer takes",
    ),
    ("10.4", "only the columns", only_the_columns, "reach the signature, which raises TypeError"),
]
