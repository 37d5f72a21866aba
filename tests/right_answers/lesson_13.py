"""Right answers to the exercises of lesson 13, in other styles than those of the solutions."""

import functools
import math

import numpy as np

from labkit import own_model

# ---- 13.1 ----


def weights_in_turns(model):
    weights = [weight.numpy() for weight in model.weights]
    kernels, biases = weights[::2], weights[1::2]

    def score(request):
        x = np.array(request, np.float32)
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            x = np.maximum(0, x.dot(kernel) + bias)
        x = float((x.dot(kernels[-1]) + biases[-1])[0])
        return 1 / (1 + math.exp(-x))

    return score


def transposed_once(model):
    layers = [layer for layer in model.layers if layer.weights]
    pairs = [(layer.kernel.numpy().T.copy(), layer.bias.numpy()) for layer in layers]

    def score(request):
        column = np.asarray(request, dtype="float32")
        for kernel, bias in pairs[:-1]:
            column = kernel @ column + bias
            column *= column > 0
        kernel, bias = pairs[-1]
        return (1 / (1 + np.exp(-(kernel @ column + bias)))).item()

    return score


class WithLiteRT:
    def __init__(self, model):
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            model.export(str(path), format="litert", verbose=False)
            self.engine = own_model.litert_interpreter(path.read_bytes(), (1, 20))
        self.place = self.engine.get_input_details()[0]["index"]
        self.out = self.engine.get_output_details()[0]["index"]

    def __call__(self, request):
        self.engine.set_tensor(self.place, np.array([request], "float32"))
        self.engine.invoke()
        return float(self.engine.get_tensor(self.out)[0, 0])


def with_litert(model):
    return WithLiteRT(model)


# ---- 13.2 ----


def cached(content):
    @functools.cache
    def prepared(size):
        engine = own_model.litert_interpreter(content, (size, 20))
        into = engine.get_input_details()[0]["index"]
        return engine, into, engine.get_output_details()[0]["index"]

    def answer(rows):
        engine, into, out = prepared(rows.shape[0])
        engine.set_tensor(into, rows)
        engine.invoke()
        return engine.get_tensor(out)

    return answer


def one_function_a_size(content):
    answers = {}

    def prepare(shape):
        engine = own_model.litert_interpreter(content, shape)
        [into], [out] = engine.get_input_details(), engine.get_output_details()

        def run(rows):
            engine.set_tensor(into["index"], rows)
            engine.invoke()
            return engine.get_tensor(out["index"]).copy()

        return run

    def answer(rows):
        if rows.shape not in answers:
            answers[rows.shape] = prepare(rows.shape)
        return answers[rows.shape](rows)

    return answer


def filled_up_to_powers_of_two(content):
    engines = {}

    def answer(rows):
        n = len(rows)
        size = 1 << (n - 1).bit_length()
        engine = engines.get(size)
        if engine is None:
            engine = engines[size] = own_model.litert_interpreter(content, (size, 20))
        padded = np.zeros((size, 20), "float32")
        padded[:n] = rows
        engine.set_tensor(engine.get_input_details()[0]["index"], padded)
        engine.invoke()
        return engine.get_tensor(engine.get_output_details()[0]["index"])[:n]

    return answer


# ---- 13.3 ----


def counting_up(shapes, peak, bandwidth):
    each = sum(2 * a * b for a, b in shapes)
    weights = sum(a * b + b for a, b in shapes)
    through = sum(a + b for a, b in shapes)
    if each / peak <= 4 * through / bandwidth:
        return None
    n = 1
    while n * each / peak < 4 * (weights + n * through) / bandwidth:
        n += 1
    return n


def by_numpy(shapes, peak, bandwidth):
    inputs, outputs = np.array(shapes).T
    arithmetic = 2 * (inputs * outputs).sum() / peak
    memory = 4 * (inputs + outputs).sum() / bandwidth
    weights = 4 * ((inputs + 1) * outputs).sum() / bandwidth
    if arithmetic <= memory:
        return None
    return int(max(1, np.ceil(weights / (arithmetic - memory))))


def by_doubling_and_halving(shapes, peak, bandwidth):
    def is_limited_by_arithmetic(n):
        operations = sum(2 * n * a * b for a, b in shapes)
        moved = sum(4 * (a * b + b + n * a + n * b) for a, b in shapes)
        return operations / peak >= moved / bandwidth

    high = 1
    while not is_limited_by_arithmetic(high):
        high *= 2
        if high > 2**40:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if is_limited_by_arithmetic(middle):
            high = middle
        else:
            low = middle
    return high


# ---- 13.4 ----


def nine_shifted_images(model):
    first, second, _, last = [layer.get_weights() for layer in model.layers]

    def answer(x):
        for kernel, bias in (first, second):
            rows, columns = (x.shape[1] - 1) // 2, (x.shape[2] - 1) // 2
            total = bias
            for i in range(3):
                for j in range(3):
                    seen = x[:, i : i + 2 * rows - 1 : 2, j : j + 2 * columns - 1 : 2]
                    total = total + seen @ kernel[i, j]
            x = np.maximum(total, 0)
        return x.reshape(len(x), -1) @ last[0] + last[1]

    return answer


def by_einsum(model):
    convolutions = [layer.get_weights() for layer in model.layers[:2]]
    kernel, bias = model.layers[-1].get_weights()

    def answer(images):
        x = images
        for weights, shift in convolutions:
            windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
            x = np.einsum("nrscij,ijco->nrso", windows[:, ::2, ::2], weights) + shift
            x[x < 0] = 0
        return x.reshape(len(x), -1) @ kernel + bias

    return answer


def one_product_of_columns(model):
    first, second, _, last = [layer.get_weights() for layer in model.layers]

    def convolve(x, kernel, bias):
        rows, columns = (x.shape[1] - 3) // 2 + 1, (x.shape[2] - 3) // 2 + 1
        pieces = []
        for i in range(3):
            for j in range(3):
                pieces.append(x[:, i::2, j::2][:, :rows, :columns])
        flat = np.concatenate(pieces, axis=-1)
        return np.maximum(flat @ kernel.reshape(-1, kernel.shape[-1]) + bias, 0)

    def answer(x):
        x = convolve(convolve(x, *first), *second)
        return x.reshape(len(x), -1) @ last[0] + last[1]

    return answer


RIGHT = [
    ("13.1", "weights in turns", weights_in_turns),
    ("13.1", "transposed once", transposed_once),
    ("13.1", "with LiteRT", with_litert),
    ("13.2", "cached", cached),
    ("13.2", "one function a size", one_function_a_size),
    ("13.2", "filled up to powers of two", filled_up_to_powers_of_two),
    ("13.3", "counting up", counting_up),
    ("13.3", "by NumPy", by_numpy),
    ("13.3", "by doubling and halving", by_doubling_and_halving),
    ("13.4", "nine shifted images", nine_shifted_images),
    ("13.4", "by einsum", by_einsum),
    ("13.4", "one product of columns", one_product_of_columns),
]
