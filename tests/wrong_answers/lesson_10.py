"""Wrong answers that people give in lesson 10, and a part of the message that each must get."""

from concurrent.futures import ThreadPoolExecutor, as_completed

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


def one_after_the_other(fetch, score, ids):
    return score(np.stack([fetch(id) for id in ids]))


def a_call_per_row(fetch, score, ids):
    with ThreadPoolExecutor(8) as pool:
        return np.concatenate(list(pool.map(lambda id: score(fetch(id)[None]), ids)))


def as_they_come(fetch, score, ids):
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(fetch, id) for id in ids]
        return score(np.stack([future.result() for future in as_completed(futures)]))


def a_thread_per_id(fetch, score, ids):
    with ThreadPoolExecutor(len(ids)) as pool:
        return score(np.stack(list(pool.map(fetch, ids))))


def as_many_threads_as_python_likes(fetch, score, ids):
    with ThreadPoolExecutor() as pool:
        return score(np.stack(list(pool.map(fetch, ids))))


def forgets_to_return(fetch, score, ids):
    with ThreadPoolExecutor(8) as pool:
        score(np.stack(list(pool.map(fetch, ids))))


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


WRONG = [
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
    ("10.3", "one after the other", one_after_the_other, "one fetch at a time"),
    ("10.3", "a call per row", a_call_per_row, "calls of the model for"),
    ("10.3", "as they come", as_they_come, "the result is wrong"),
    ("10.3", "a thread per id", a_thread_per_id, "at most eight"),
    ("10.3", "any number of threads", as_many_threads_as_python_likes, "at most eight"),
    ("10.3", "forgets to return", forgets_to_return, "is a `return` missing?"),
    ("10.4", "no cast", no_cast, "is refused with"),
    ("10.4", "no check", no_check, "a ValueError"),
    ("10.4", "too late", too_late, "a check before the call"),
    ("10.4", "no help", no_help, "what helps"),
]
