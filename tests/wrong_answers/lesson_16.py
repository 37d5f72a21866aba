"""Wrong answers that people give in lesson 16, and a part of the message that each must get."""

import math

import keras
import numpy as np
import tensorflow as tf


def fastest_later(ladder, calls, allowed):
    return min(allowed, key=lambda name: ladder[name][1])


def fastest_first(ladder, calls, allowed):
    return min(allowed, key=lambda name: ladder[name][0])


def ignores_allowed(ladder, calls, allowed):
    return min(ladder, key=lambda name: ladder[name][0] + (calls - 1) * ladder[name][1])


def one_call_too_many(ladder, calls, allowed):
    return min(allowed, key=lambda name: ladder[name][0] + calls * ladder[name][1])


def one_call_too_few(ladder, calls, allowed):
    return min(allowed, key=lambda name: ladder[name][0] + (calls - 2) * ladder[name][1])


def always_litert(ladder, calls, allowed):
    return "LiteRT" if "LiteRT" in allowed else allowed[0]


def returns_seconds(ladder, calls, allowed):
    return min(ladder[name][0] + (calls - 1) * ladder[name][1] for name in allowed)


def forgets_to_return(ladder, calls, allowed):
    min(allowed, key=lambda name: ladder[name][0])


def all_floats(spec, rows):
    return {name: np.random.rand(rows, *s.shape[1:]) for name, s in spec.items()}


def no_batch(spec, rows):
    return {name: np.zeros(s.shape[1:], s.dtype.as_numpy_dtype) for name, s in spec.items()}


def zeros_for_text(spec, rows):
    arrays = {}
    for name, s in spec.items():
        dtype = "int32" if s.dtype == tf.string else s.dtype.as_numpy_dtype
        arrays[name] = np.zeros((rows, *s.shape[1:]), dtype)
    return arrays


def a_list(spec, rows):
    return [np.zeros((rows, *s.shape[1:])) for s in spec.values()]


def only_the_first(spec, rows):
    s = next(iter(spec.values()))
    return {"x": np.zeros((rows, *s.shape[1:]))}


def loads_in_a_request(path):
    return lambda rows: keras.models.load_model(path)(rows)


def predicts(path):
    model = keras.models.load_model(path)
    return lambda rows: model.predict(rows, verbose=0)


def wraps_in_a_request(path):
    model = keras.models.load_model(path)
    return lambda rows: tf.function(model)(rows)


def a_key_for_each_size(path):
    return tf.function(keras.models.load_model(path))


def calls_it_eagerly(path):
    return keras.models.load_model(path)


def keeps_one_model(path, kept=[]):  # noqa: B006, the mistake
    if not kept:
        kept.append(tf.function(keras.models.load_model(path), reduce_retracing=True))
    return kept[0]


def returns_the_answers(path):
    return keras.models.load_model(path)(np.zeros((1, 10), "float32"))


def first_row_only(path):
    replay = tf.function(keras.models.load_model(path), reduce_retracing=True)
    return lambda rows: replay(rows[:1])


def solves_for_equal(slow, fast):
    if slow[1] <= fast[1]:
        return None
    return max(1, math.ceil((fast[0] - slow[0]) / (slow[1] - fast[1])))


def never_none(slow, fast):
    return max(1, math.floor((fast[0] - slow[0]) / abs((slow[1] - fast[1]) or 1)) + 2)


def a_fraction(slow, fast):
    if slow[1] <= fast[1]:
        return None
    return (fast[0] - slow[0]) / (slow[1] - fast[1]) + 1.01


def only_the_later(slow, fast):
    if fast[1] >= slow[1]:
        return None
    return 1


def least_of_two_calls(ladder, calls, allowed):
    return min(allowed, key=lambda name: sum(ladder[name]))


def greatest(ladder, calls, allowed):
    return max(allowed, key=lambda name: ladder[name][0] + (calls - 1) * ladder[name][1])


def falls_back(ladder, calls, allowed):
    best = min(ladder, key=lambda name: ladder[name][0] + (calls - 1) * ladder[name][1])
    return best if best in allowed else allowed[0]


def a_table_of_dtypes(spec, rows):
    names = {tf.float32: "float32", tf.int32: "int32", tf.int64: "int64", tf.uint8: "uint8"}
    arrays = {}
    for name, s in spec.items():
        shape = (rows, *s.shape[1:])
        if s.dtype == tf.string:
            arrays[name] = np.full(shape, "x")
        else:
            arrays[name] = np.zeros(shape, names.get(s.dtype, "int32"))
    return arrays


def padded_to(size):
    def open_service(path):
        replay = tf.function(keras.models.load_model(path))

        def answer(rows):
            padded = np.zeros((size, 10), "float32")
            padded[: len(rows)] = rows
            return replay(padded)[: len(rows)].numpy()

        return answer

    return open_service


def row_by_row(path):
    model = keras.models.load_model(path)
    replay = tf.function(model, input_signature=[tf.TensorSpec((1, 10))])
    return lambda rows: np.concatenate([replay(rows[i : i + 1]) for i in range(len(rows))])


def counts_for_ever(slow, fast):
    n = 1
    while fast[0] + (n - 1) * fast[1] >= slow[0] + (n - 1) * slow[1]:
        n += 1
    return n


def counts_to(bound):
    def break_even(slow, fast):
        for n in range(1, bound):
            if fast[0] + (n - 1) * fast[1] < slow[0] + (n - 1) * slow[1]:
                return n
        return None

    return break_even


WRONG = [
    ("16.1", "cheapest later call", fastest_later, "the first call counts too"),
    ("16.1", "cheapest first call", fastest_first, "the later calls count too"),
    ("16.1", "ignores what is allowed", ignores_allowed, "which is not allowed"),
    ("16.1", "one call too many", one_call_too_many, "XLA for 4 calls"),
    ("16.1", "one call too few", one_call_too_few, "tf.function for 5 calls"),
    ("16.1", "always LiteRT", always_litert, "wanted:"),
    ("16.1", "returns seconds", returns_seconds, "one of the names"),
    ("16.1", "no return", forgets_to_return, "is a `return` missing?"),
    ("16.2", "all floats", all_floats, "rarely the model's"),
    ("16.2", "no batch", no_batch, "the first size is the batch"),
    ("16.2", "zeros for text", zeros_for_text, "as tf.string says"),
    ("16.2", "a list", a_list, "a dict with the names"),
    ("16.2", "other names", only_the_first, "a dict with the names"),
    ("16.3", "loads in a request", loads_in_a_request, "loaded once, before the first request"),
    ("16.3", "predict", predicts, "one graph for any number of rows"),
    ("16.3", "wraps in a request", wraps_in_a_request, "10 traces in 10 requests"),
    ("16.3", "a key for each size", a_key_for_each_size, "each size is a key of its own"),
    ("16.3", "calls it eagerly", calls_it_eagerly, "fewer than half of them"),
    ("16.3", "keeps one model", keeps_one_model, "the result is wrong"),
    ("16.3", "returns the answers", returns_the_answers, "a function that takes rows"),
    ("16.3", "first row only", first_row_only, "the result is wrong"),
    ("16.4", "one too few", solves_for_equal, "the first call is one of them"),
    ("16.4", "never None", never_none, "never costs less"),
    ("16.4", "a fraction", a_fraction, "a whole number of calls"),
    ("16.4", "later calls only", only_the_later, "wanted:"),
    ("16.1", "least of two calls", least_of_two_calls, "the least total of two calls"),
    ("16.1", "greatest", greatest, "the greatest total; wanted"),
    ("16.1", "falls back", falls_back, "whose total is the least"),
    ("16.2", "a table of dtypes", a_table_of_dtypes, "rarely the model's"),
    ("16.3", "padded to 13", padded_to(13), "could not broadcast"),
    ("16.3", "padded to 128", padded_to(128), "could not broadcast"),
    ("16.3", "row by row", row_by_row, "with all rows of a request"),
    ("16.4", "counts for ever", counts_for_ever, "there was no end for slow="),
    ("16.4", "counts to five hundred", counts_to(500), "from then on fast costs less"),
    ("16.4", "counts to a million", counts_to(10**6), "None: fast never costs less in total"),
]
