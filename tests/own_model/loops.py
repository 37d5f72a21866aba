"""Loops as people write them: with one thing wrong, or healthy."""

import gc
import multiprocessing
import os
import threading
import time

import keras
import numpy as np
import tensorflow as tf

import labkit as lab

v1 = tf.compat.v1
ROWS = lab.models.random_rows(40)
TARGETS = np.zeros((40, 1), np.float32)


def small_model(compiled=False):
    model = lab.models.mlp()
    if compiled:
        model.compile("adam", "mse")
    return model


# ---- with one thing wrong; by the cause that has to be named first ----


def predicts_each_row():
    model = small_model()
    return lambda: [model.predict(ROWS[i : i + 1], verbose=0) for i in range(6)]


def calls_each_row():
    model = small_model()
    return lambda: [model(ROWS[i : i + 1]) for i in range(20)]


def replays_for_each_row():
    model = tf.function(small_model())
    many = lab.models.random_rows(400)
    return lambda: [model(many[i : i + 1]) for i in range(400)]


def traces_each_length():
    lengths = iter(range(1, 1000))

    @tf.function
    def total(x):
        return tf.reduce_sum(x)

    return lambda: [total(np.ones(next(lengths), np.float32)) for _ in range(5)]


def traces_each_number():
    numbers = iter(range(1, 1000))

    @tf.function
    def scale(x, factor):
        return x * factor

    return lambda: [scale(tf.ones(3), float(next(numbers))) for _ in range(5)]


class Agent:
    """It has a step, as many agents do."""

    def step(self, x):
        return 2 * x


def traces_each_method():
    agent = Agent()

    @tf.function
    def apply(step, x):
        return step(x)

    return lambda: [apply(agent.step, tf.ones(3)) for _ in range(5)]


def traces_each_dict():
    numbers = iter(range(1, 1000))

    @tf.function
    def scale(x, settings):
        return x * settings["factor"]

    return lambda: [scale(tf.ones(3), {"factor": float(next(numbers))}) for _ in range(5)]


def makes_functions():
    def body(x):
        return x + 1

    return lambda: [tf.function(body)(tf.ones(3)) for _ in range(5)]


def makes_functions_of_a_model():
    model = small_model()
    return lambda: [tf.function(model)(ROWS[i : i + 1]) for i in range(5)]


def builds_and_fits():
    def loop():
        model = small_model(compiled=True)
        model.fit(ROWS, TARGETS, verbose=0)
        keras.utils.clear_session()

    return loop


def compiles_again():
    model = small_model()

    def loop():
        model.compile("adam", "mse")
        model.fit(ROWS, TARGETS, verbose=0)

    return loop


def builds_only():
    return lambda: [small_model()(ROWS[:1]) for _ in range(5)]


def loads(folder):
    path = folder / "model.keras"
    small_model().save(path)
    return lambda: [keras.saving.load_model(path)(ROWS) for _ in range(2)]


def loads_a_saved_model(folder):
    path = folder / "saved"
    small_model().export(path, verbose=False)

    def loop():
        for _ in range(2):
            model = tf.saved_model.load(path)
            model.serve(ROWS)

    return loop


def trains_eagerly():
    model = small_model()
    optimizer = keras.optimizers.Adam()

    def loop():
        for _ in range(5):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(ROWS) - TARGETS) ** 2)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)

    return loop


def makes_steps_that_train():
    model = small_model()

    def loop():
        optimizer = keras.optimizers.Adam()

        @tf.function
        def step(rows, targets):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(rows) - targets) ** 2)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)

        step(ROWS, TARGETS)

    return loop


def each_agent_has_a_step():
    class Player:
        @tf.function
        def step(self, x):
            return 2 * x

    return lambda: [Player().step(tf.ones(3)) for _ in range(5)]


def computes_in_float16():
    policy = keras.DTypePolicy("mixed_float16")
    layers = [keras.layers.Dense(256, dtype=policy) for _ in range(4)]
    layers.append(keras.layers.Dense(1, dtype="float32"))  # as the guide on mixed precision has it
    model = keras.Sequential([keras.Input((256,)), *layers])
    many = lab.models.random_rows(500, inputs=256)
    return lambda: model.predict(many, batch_size=250, verbose=0)


def fits_each_step():
    model = small_model(compiled=True)
    return lambda: [model.fit(ROWS[:8], TARGETS[:8], verbose=0) for _ in range(4)]


def an_agent_predicts_and_fits():
    model = small_model(compiled=True)

    def loop():
        for _ in range(5):
            model.predict(lab.models.random_rows(1), verbose=0)
            model.train_on_batch(ROWS[:8], TARGETS[:8])

    return loop


def grows_a_graph():
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None])
        session = v1.Session()

    def loop():
        with graph.as_default():
            return [session.run(tf.reduce_sum(x * 2), {x: [1.0, 2.0]}) for _ in range(20)]

    return loop


def assigns_in_a_loop():
    graph = tf.Graph()
    with graph.as_default():
        rate = v1.get_variable("rate", initializer=0.1)
        session = v1.Session()
        session.run(rate.initializer)

    def loop():
        with graph.as_default():
            for number in range(20):
                session.run(rate.assign(0.1 / (number + 1)))

    return loop


def makes_sessions():
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None])
        total = tf.reduce_sum(x)

    def loop():
        for _ in range(10):
            with v1.Session(graph=graph) as session:
                session.run(total, {x: [1.0]})

    return loop


def takes_rows_from_a_generator():
    def rows():
        for _ in range(300):
            yield np.zeros(10, np.float32)

    spec = tf.TensorSpec([10], tf.float32)
    dataset = tf.data.Dataset.from_generator(rows, output_signature=spec)
    return lambda: [row.shape for row in dataset]


def copies_an_array():
    large = np.zeros((2000, 2000), np.float32)

    @tf.function
    def first(x):
        return x[0, 0]

    return lambda: [first(large) for _ in range(10)]


def compiles_each_size():
    sizes = iter(range(1, 1000))
    spec = tf.TensorSpec([None, 10], tf.float32)

    @tf.function(jit_compile=True, input_signature=[spec])
    def total(x):
        return tf.reduce_sum(x * x)

    return lambda: [total(tf.ones((next(sizes), 10))) for _ in range(6)]


def forks():
    tf.ones(3)
    context = multiprocessing.get_context("fork")

    def loop():
        child = context.Process(target=os.getpid)  # it does nothing with TensorFlow
        child.start()
        child.join()

    return loop


def _interpreter():
    converter = tf.lite.TFLiteConverter.from_keras_model(small_model())
    return converter.convert()


def _answer(interpreter, row):
    (given,) = interpreter.get_input_details()
    (wanted,) = interpreter.get_output_details()
    interpreter.set_tensor(given["index"], row)
    interpreter.invoke()
    return np.copy(interpreter.get_tensor(wanted["index"]))


def prepares_interpreters():
    content = _interpreter()

    def loop():
        for i in range(5):
            interpreter = tf.lite.Interpreter(model_content=content)
            interpreter.allocate_tensors()
            _answer(interpreter, ROWS[i : i + 1])

    return loop


def shares_an_interpreter():
    interpreter = tf.lite.Interpreter(model_content=_interpreter())
    interpreter.allocate_tensors()
    turn = threading.Lock()  # so that this test does not depend on luck

    def answer():
        with turn:
            _answer(interpreter, ROWS[:1])

    def loop():
        threads = [threading.Thread(target=answer) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return loop


def makes_optimizers():
    model = small_model()

    def loop():
        for number in range(1, 6):
            optimizer = keras.optimizers.Adam(0.01 / number)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(ROWS) - TARGETS) ** 2)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)

    return loop


def makes_datasets():
    model = small_model(compiled=True)

    def loop():
        for _ in range(8):
            dataset = tf.data.Dataset.from_tensor_slices((ROWS, TARGETS)).map(
                lambda x, y: (2 * x, y)
            )
            for rows, targets in dataset.batch(20):
                model.train_on_batch(rows, targets)

    return loop


def makes_variables():
    def loop():
        for _ in range(40):
            total = tf.Variable(tf.zeros(3))
            total.assign_add(tf.ones(3))

    return loop


def traces_each_list():
    parts = [tf.ones(3)]

    @tf.function
    def total(parts):
        return tf.add_n(parts)

    def loop():
        for _ in range(5):
            parts.append(tf.ones(3))
            total(parts)

    return loop


def traces_for_each_length_on_purpose():
    lengths = iter(range(1, 1000))

    @tf.function
    def total(x):
        return tf.reduce_sum(x)

    def loop():
        for _ in range(5):
            length = next(lengths)
            total.get_concrete_function(tf.TensorSpec([length], tf.float32))(tf.ones(length))

    return loop


def copies_an_array_in_another_dtype():
    large = np.random.default_rng(0).random((1000, 1000))

    @tf.function
    def first(x):
        return x[0, 0]

    return lambda: [first(tf.constant(large.astype(np.float32))) for _ in range(10)]


def clones_a_model():
    model = small_model()

    def loop():
        for _ in range(4):
            target = keras.models.clone_model(model)
            target.set_weights(model.get_weights())
            target(ROWS)

    return loop


def evaluates_after_each_step():
    model = small_model(compiled=True)
    many, targets = lab.models.random_rows(200), np.zeros((200, 1), np.float32)

    def loop():
        for _ in range(8):
            model.train_on_batch(ROWS, TARGETS)
            model.evaluate(many, targets, verbose=0)

    return loop


def predicts_datasets_of_a_row():
    model = small_model()

    def loop():
        for i in range(6):
            model.predict(tf.data.Dataset.from_tensors(ROWS[i : i + 1]), verbose=0)

    return loop


def fits_eagerly():
    model = lab.models.mlp()
    model.compile("adam", "mse", run_eagerly=True)
    return lambda: model.fit(ROWS, TARGETS, batch_size=4, verbose=0)


def adds_up_in_python():
    numbers = tf.constant(lab.models.random_rows(1)[0])

    def loop():
        total = tf.constant(0.0)
        for _ in range(20):
            for i in range(len(numbers)):
                total = total + numbers[i] * 2.0
        return total

    return loop


def saves_after_each_step(folder):
    model = small_model(compiled=True)

    def loop():
        for _ in range(6):
            model.train_on_batch(ROWS, TARGETS)
            model.save(folder / "last.keras")

    return loop


def begins_a_pipeline_for_each_batch():
    rows = np.random.default_rng(0).random((4000, 20)).astype(np.float32)
    dataset = tf.data.Dataset.from_tensor_slices(rows).shuffle(4000).batch(64).repeat()
    step = tf.function(lambda batch: tf.reduce_sum(batch))
    return lambda: [step(next(iter(dataset))) for _ in range(10)]


def deep_model():
    layers = [keras.layers.Dense(64, "relu") for _ in range(6)]
    return keras.Sequential([keras.Input((10,)), *layers])


def loads_weights(folder):
    model = deep_model()
    path = folder / "m.weights.h5"
    model.save_weights(path)
    answer = tf.function(model)

    def loop():
        for i in range(5):
            model.load_weights(path)
            answer(ROWS[i : i + 1])

    return loop


def copies_weights_through_numpy():
    model, target = deep_model(), deep_model()
    step = tf.function(lambda batch: target(model.layers[0](batch)[:, :10]))

    def loop():
        for _ in range(20):
            step(ROWS)
            pairs = zip(model.get_weights(), target.get_weights(), strict=True)
            target.set_weights([0.01 * new + 0.99 * old for new, old in pairs])

    return loop


def makes_metrics():
    answer = tf.function(small_model())

    def loop():
        for _ in range(15):
            accuracy = keras.metrics.BinaryAccuracy()
            accuracy.update_state(TARGETS, answer(ROWS))

    return loop


def converts_a_list():
    table = [[float(i % 7), float(i % 11)] for i in range(20_000)]
    first = tf.function(lambda points: points[0, 0])
    return lambda: [first(tf.constant(table, tf.float32)) for _ in range(10)]


def converts_a_replay_memory():
    """Hands over lists of lists, which convert_to_tensor looks through before it copies them."""
    memory = [([float(i)] * 60, float(i)) for i in range(400)]
    learn = tf.function(lambda states, rewards: states[0, 0] * rewards[0])

    def loop():
        for _ in range(10):
            states, rewards = zip(*memory, strict=True)
            learn(tf.convert_to_tensor(states, tf.float32), tf.constant(rewards))

    return loop


def converts_a_list_of_arrays():
    images = [np.full((60, 60), i, np.float32) for i in range(16)]
    first = tf.function(lambda batch: batch[0, 0, 0])
    return lambda: [first(tf.convert_to_tensor(images)) for _ in range(10)]


def updates_metrics_from_python():
    model = tf.function(small_model())
    batches = tf.data.Dataset.from_tensor_slices((ROWS, TARGETS)).batch(32)
    metrics = [keras.metrics.AUC(), keras.metrics.Precision()]

    def loop():
        for rows, targets in batches:
            answers = tf.sigmoid(model(rows))
            for metric in metrics:
                metric.update_state(targets, answers)

    return loop


def fits_chunks_of_a_file():
    model = small_model(compiled=True)
    rows, targets = lab.models.random_rows(256), np.zeros((256, 1), np.float32)
    return lambda: [model.fit(rows, targets, batch_size=256, verbose=0) for _ in range(6)]


def sets_a_seed_in_each_step():
    def loop():
        total = 0.0
        for i in range(100):
            tf.random.set_seed(i)
            total += float(tf.reduce_mean(tf.random.normal((64, 64))))

    return loop


def collects_garbage_for_each_answer():
    answer = tf.function(small_model())

    def loop():
        for i in range(8):
            answer(ROWS[i : i + 1])
            keras.backend.clear_session()
            gc.collect()

    return loop


def makes_a_model_of_each_layer():
    model = deep_model()

    def loop():
        for layer in model.layers[:4]:
            keras.Model(model.inputs, layer.output).predict(ROWS[:1], verbose=0)

    return loop


def collects_by_joining():
    part = tf.ones((4, 2_000))

    def loop():
        collected = tf.zeros((0, 2_000))
        for _ in range(200):
            collected = tf.concat([collected, part], axis=0)

    return loop


def augment(row):
    return sum(np.float32(number) for number in row for _ in range(8)) * np.ones(10, np.float32)


def maps_python():
    rows = np.random.rand(100, 200).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices(rows)
    dataset = dataset.map(
        lambda row: tf.numpy_function(augment, [row], tf.float32), num_parallel_calls=2
    ).batch(25)
    return lambda: [tf.reduce_sum(batch) for batch in dataset]


def adapts_for_each_request():
    texts = ["one more text", "a text of other words"]

    def loop():
        for _ in range(4):
            layer = keras.layers.TextVectorization(max_tokens=20)
            layer.adapt(texts)
            layer(tf.constant(texts))

    return loop


def changes_a_part_of_a_tensor():
    kept = tf.zeros((5_000, 100))

    def loop():
        nonlocal kept
        for i in range(40):
            kept = tf.tensor_scatter_nd_update(kept, [[i]], [tf.ones(100)])

    return loop


def predicts_in_a_callback():
    model = small_model(compiled=True)
    rows = lab.models.random_rows(300)

    class Validates(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.predict(rows, verbose=0)

    return lambda: model.fit(ROWS, TARGETS, batch_size=4, verbose=0, callbacks=[Validates()])


def loads_and_predicts(folder):
    path = folder / "model.keras"
    small_model().save(path)

    def loop():
        for i in range(4):
            model = keras.saving.load_model(path)
            model.predict(ROWS[i : i + 16], verbose=0)

    return loop


def updates_a_large_embedding():
    table = keras.layers.Embedding(200_000, 32)
    model = keras.Sequential([keras.Input((1,), dtype="int32"), table, keras.layers.Flatten()])
    model.compile("adam", "mse")
    users, targets = np.arange(1024)[:, None], np.zeros((1024, 32), np.float32)
    return lambda: model.fit(users, targets, batch_size=256, verbose=0)


def scores_with_a_costly_metric():
    thresholds = np.logspace(-5, -0.001, 300).tolist()  # not evenly spaced: the slow way of AUC
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(20, activation="sigmoid")])
    model.compile("sgd", "mse", metrics=[keras.metrics.AUC(thresholds=thresholds)])
    rows, targets = lab.models.random_rows(40_960, 20), np.zeros((40_960, 20), np.float32)
    options = tf.data.Options()
    options.autotune.enabled = False  # the end of a pass waits for the tuner, now and then a second
    dataset = tf.data.Dataset.from_tensor_slices((rows, targets)).batch(4096).with_options(options)
    return lambda: model.fit(dataset, shuffle=False, verbose=0)


def maps_each_row_before_the_batch():
    model = small_model(compiled=True)
    rows, targets = lab.models.random_rows(8192), np.zeros((8192, 1), np.float32)
    dataset = tf.data.Dataset.from_tensor_slices((rows, targets))
    dataset = dataset.map(lambda row, target: (tf.math.log1p(tf.abs(row)), target))
    dataset = dataset.batch(512).prefetch(1)
    return lambda: model.fit(dataset, shuffle=False, verbose=0)


def fits_on_a_slow_pipeline():
    model = small_model(compiled=True)
    rows, targets = lab.models.random_rows(512), np.zeros((512, 1), np.float32)
    square = tf.random.normal((600, 600))

    def prepare(batch, targets):
        work = square
        for _ in range(8):
            work = tf.linalg.normalize(work @ square)[0]
        return batch + 1e-9 * tf.reduce_sum(work), targets

    dataset = tf.data.Dataset.from_tensor_slices((rows, targets)).batch(32).map(prepare)
    return lambda: model.fit(dataset, shuffle=False, verbose=0)


def updates_outside_the_graph():
    model = lab.models.mlp(width=16, depth=20)
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)

    @tf.function
    def gradients(rows):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(rows) ** 2)
        return tape.gradient(loss, model.trainable_variables)

    rows = tf.constant(ROWS)

    def loop():
        for _ in range(6):
            optimizer.apply(gradients(rows), model.trainable_variables)

    return loop


def checks_numerics():
    model = keras.Sequential([keras.Input((200,)), keras.layers.Dense(2000, activation="relu")])
    rows = tf.random.normal((2000, 200))
    tf.debugging.enable_check_numerics()
    try:
        answer = tf.function(lambda x: tf.reduce_sum(tf.abs(tf.sin(model(x)) + tf.cos(model(x)))))
        answer(rows)
    finally:
        tf.debugging.disable_check_numerics()
    return lambda: [answer(rows) for _ in range(5)]


def maps_within_the_graph():
    model = lab.models.mlp()
    rows = tf.constant(lab.models.random_rows(2000))
    each = tf.function(lambda x: tf.map_fn(lambda row: model(row[None])[0], x))
    return lambda: [each(rows) for _ in range(2)]


def averages_weights_in_a_callback():
    model = lab.models.mlp(width=512, depth=12)
    model.compile("sgd", "mse")
    average = []

    class Average(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            average[:] = self.model.get_weights()

    return lambda: model.fit(ROWS, TARGETS, batch_size=4, verbose=0, callbacks=[Average()])


def evaluates_images_that_a_generator_prepares():
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten()])
    model.compile(loss="mse")
    images = np.zeros((300, 24, 24, 3), np.uint8)

    def prepared():
        for image in images:
            small = tf.image.resize(tf.image.convert_image_dtype(image, tf.float32), (16, 16))
            yield tf.image.per_image_standardization(small), np.zeros(768, np.float32)

    spec = tf.TensorSpec((16, 16, 3), tf.float32), tf.TensorSpec((768,), tf.float32)
    dataset = tf.data.Dataset.from_generator(prepared, output_signature=spec).batch(32)
    return lambda: model.evaluate(dataset, verbose=0)


def makes_objects_with_a_decorated_method():
    model = small_model()

    class Sampler(tf.Module):
        @tf.function
        def step(self, x):
            return model(x) / self.temperature

    def loop():
        for temperature in (0.5, 1.0, 1.5, 2.0):
            sampler = Sampler()
            sampler.temperature = temperature
            for _ in range(3):
                sampler.step(ROWS[:1])

    return loop


def asks_a_tape_for_each_output():
    model = lab.models.mlp(outputs=20)
    rows = tf.constant(ROWS)

    def loop():
        for _ in range(4):
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(rows)
                outputs = tf.unstack(model(rows), axis=1)
            for output in outputs:
                tape.gradient(output, rows)

    return loop


WRONG = [
    ("optimizer", updates_a_large_embedding),
    ("metrics", scores_with_a_costly_metric),
    ("map before batch", maps_each_row_before_the_batch),
    ("waits for the pipeline", fits_on_a_slow_pipeline),
    ("training step is eager", asks_a_tape_for_each_output),
    ("numerics are checked", checks_numerics),
    ("training step is eager", updates_outside_the_graph),
    ("map_fn in the graph", maps_within_the_graph),
    ("weights copied in the loop", averages_weights_in_a_callback),
    ("generator of Python", evaluates_images_that_a_generator_prepares),
    ("function made in the loop", makes_objects_with_a_decorated_method),
    ("Python inside the graph", maps_python),
    ("layer made in the loop", adapts_for_each_request),
    ("tensor copied to change a part", changes_a_part_of_a_tensor),
    ("predict for few rows", predicts_in_a_callback),
    ("model loaded in the loop", loads_and_predicts),
    ("iterator made in the loop", begins_a_pipeline_for_each_batch),
    ("weights copied in the loop", loads_weights),
    ("weights copied in the loop", copies_weights_through_numpy),
    ("metric made in the loop", makes_metrics),
    ("list converted in the loop", converts_a_list),
    ("list converted in the loop", converts_a_replay_memory),
    ("list converted in the loop", converts_a_list_of_arrays),
    ("metric updated outside the graph", updates_metrics_from_python),
    ("fit for few rows", fits_chunks_of_a_file),
    ("seed set in the loop", sets_a_seed_in_each_step),
    ("garbage collected in the loop", collects_garbage_for_each_answer),
    ("model built in the loop", makes_a_model_of_each_layer),
    ("predict for few rows", predicts_each_row),
    ("eager calls", calls_each_row),
    ("rows one by one", replays_for_each_row),
    ("retraced: shape", traces_each_length),
    ("retraced: value", traces_each_number),
    ("retraced: value", traces_each_dict),
    ("retraced: object", traces_each_method),
    ("function made in the loop", makes_functions),
    ("function made in the loop", makes_functions_of_a_model),
    ("model built in the loop", builds_and_fits),
    ("model compiled in the loop", compiles_again),
    ("model built in the loop", builds_only),
    ("model loaded in the loop", loads),
    ("model loaded in the loop", loads_a_saved_model),
    ("training step is eager", trains_eagerly),
    ("function made in the loop", makes_steps_that_train),
    ("function made in the loop", each_agent_has_a_step),
    ("float16 on a CPU", computes_in_float16),
    ("fit for few rows", fits_each_step),
    ("predict for few rows", an_agent_predicts_and_fits),
    ("graph grows", grows_a_graph),
    ("graph grows", assigns_in_a_loop),
    ("sessions made", makes_sessions),
    ("waits for the pipeline", takes_rows_from_a_generator),
    ("array copied again", copies_an_array),
    ("compiled for each shape", compiles_each_size),
    ("fork", forks),
    ("interpreter prepared in the loop", prepares_interpreters),
    ("interpreter shared", shares_an_interpreter),
    ("optimizer made in the loop", makes_optimizers),
    ("dataset made in the loop", makes_datasets),
    ("variables made in the loop", makes_variables),
    ("retraced: structure", traces_each_list),
    ("retraced: shape", traces_for_each_length_on_purpose),
    ("array copied again", copies_an_array_in_another_dtype),
    ("model built in the loop", clones_a_model),
    ("evaluate for few rows", evaluates_after_each_step),
    ("predict for few rows", predicts_datasets_of_a_row),
    ("eager mode left on", fits_eagerly),
    ("eager operations", adds_up_in_python),
    ("model saved in the loop", saves_after_each_step),
    ("tensor grows in the loop", collects_by_joining),
]


# ---- healthy ----


def predicts_many_rows():
    model = small_model()
    many = lab.models.random_rows(5000)
    return lambda: model.predict(many, batch_size=512, verbose=0)


def predicts_a_dataset():
    model = small_model()
    dataset = tf.data.Dataset.from_tensor_slices(lab.models.random_rows(5000)).batch(512)
    return lambda: model.predict(dataset, verbose=0)


def fits_a_dataset():
    model = small_model(compiled=True)
    rows = lab.models.random_rows(2000), np.zeros((2000, 1), np.float32)
    dataset = tf.data.Dataset.from_tensor_slices(rows).batch(64)
    return lambda: model.fit(dataset, verbose=0)


def replays_for_requests():
    model = tf.function(small_model())
    return lambda: [model(lab.models.random_rows(1)) for _ in range(100)]


def replays_a_signature():
    spec = tf.TensorSpec([None, 10], tf.float32)
    model = tf.function(small_model(), input_signature=[spec])
    return lambda: [model(lab.models.random_rows(size)) for size in range(1, 40)]


def calls_with_many_rows():
    model = lab.models.mlp(width=512, depth=5)
    many = tf.constant(lab.models.random_rows(4000))
    return lambda: [model(many) for _ in range(3)]


def fits_for_epochs():
    model = small_model(compiled=True)
    rows, targets = lab.models.random_rows(2000), np.zeros((2000, 1), np.float32)
    return lambda: model.fit(rows, targets, epochs=3, verbose=0)


def trains_in_a_graph():
    model = small_model()
    optimizer = keras.optimizers.SGD()
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(rows, targets):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(rows) - targets) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    rows, targets = tf.constant(ROWS), tf.constant(TARGETS)
    return lambda: [step(rows, targets) for _ in range(50)]


def trains_on_batches():
    model = small_model(compiled=True)
    return lambda: [model.train_on_batch(ROWS, TARGETS) for _ in range(20)]


def runs_a_finished_graph():
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None])
        total = tf.reduce_sum(x)
        session = v1.Session()
        graph.finalize()
    return lambda: [session.run(total, {x: [1.0, 2.0]}) for _ in range(50)]


def works_on_large_arrays():
    x = tf.random.uniform((600, 600))

    @tf.function
    def product(a):
        return a @ a

    return lambda: [product(x) for _ in range(10)]


def reads_ahead():
    dataset = tf.data.Dataset.range(40).batch(20).map(lambda x: x * 2).prefetch(1)

    @tf.function
    def total(x):
        return tf.reduce_sum(x)

    return lambda: [total(batch) for batch in dataset]


def computes_without_tensorflow():
    return lambda: sum(number * number for number in range(200_000))


def keeps_an_interpreter():
    interpreter = tf.lite.Interpreter(model_content=_interpreter())
    interpreter.allocate_tensors()
    return lambda: [_answer(interpreter, ROWS[i : i + 1]) for i in range(40)]


def loads_before(folder):
    path = folder / "model.keras"
    small_model().save(path)
    model = tf.function(keras.saving.load_model(path))
    return lambda: model(ROWS)


def spawns_nothing_and_sleeps():
    event = threading.Event()
    return lambda: event.wait(0.01)


def multiplies_eagerly():
    whole = tf.random.uniform((700, 700))

    def loop():
        part = whole
        for _ in range(6):
            part = tf.linalg.matmul(part, whole) / 700.0
        return part

    return loop


def copies_new_arrays():
    rng = np.random.default_rng(0)

    @tf.function
    def mean(x):
        return tf.reduce_mean(x)

    return lambda: [mean(rng.random((500, 500)).astype(np.float32)) for _ in range(10)]


def uses_four_sizes():
    @tf.function
    def total(x):
        return tf.reduce_sum(tf.sin(x))

    return lambda: [total(tf.ones((8 * (i % 4 + 1), 50))) for i in range(200)]


def trains_and_evaluates_once():
    model = small_model(compiled=True)
    rows, targets = lab.models.random_rows(640), np.zeros((640, 1), np.float32)

    def loop():
        for i in range(0, 640, 16):
            model.train_on_batch(rows[i : i + 16], targets[i : i + 16])
        model.evaluate(rows, targets, verbose=0)

    return loop


def collects_and_seeds_once_in_a_while():
    rows = tf.random.uniform((1000, 1000))
    product = tf.function(lambda x: tf.linalg.matmul(x, x))

    def loop():
        tf.random.set_seed(1)
        for _ in range(20):
            product(rows)
        gc.collect()

    return loop


def takes_a_new_iterator_for_each_epoch():
    rows = np.random.default_rng(0).random((20_000, 20)).astype(np.float32)
    dataset = tf.data.Dataset.from_tensor_slices(rows).batch(64)
    product = tf.function(
        lambda x: tf.linalg.matmul(tf.repeat(x, 500, axis=1), tf.ones((10_000, 300)))
    )

    def loop():
        for batch in dataset.take(100):
            product(batch)

    return loop


def joins_a_window_and_a_list():
    """Slides a window, which does not grow, joins a list once, and a few layers' answers."""
    model = tf.function(small_model())
    rows = lab.models.random_rows(256)

    def loop():
        window = tf.zeros((8, 1))
        parts = []
        for _ in range(30):
            answers = model(rows)
            window = tf.concat([window[1:], answers[:1]], axis=0)
            parts.append(answers)
        whole = tf.concat(parts, axis=0)
        for _ in range(3):
            whole = tf.concat([whole, answers], axis=0)

    return loop


def validates_within_fit():
    """What `fit` itself asks for is a part of it, and so is a callback that only looks."""
    model = small_model(compiled=True)
    rows = lab.models.random_rows(20_000)
    targets = np.zeros((20_000, 1), np.float32)
    looks = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(end=""))
    options = {"epochs": 2, "verbose": 0, "batch_size": 500, "callbacks": [looks]}
    return lambda: model.fit(rows, targets, validation_data=(rows, targets), **options)


def generates_batches_with_one_python_call_each():
    def batches():
        for _ in range(8):
            yield np.random.rand(64, 20).astype("float32")

    spec = tf.TensorSpec((None, 20), tf.float32)
    dataset = tf.data.Dataset.from_generator(batches, output_signature=spec).prefetch(2)
    weights = tf.random.normal((20, 2_000))
    square = tf.random.normal((2_000, 2_000))
    step = tf.function(lambda batch: tf.reduce_sum(tf.tanh(batch @ weights) @ square))
    return lambda: [step(batch) for batch in dataset]


def wait_for_a_file(row):
    time.sleep(0.002)
    return row


def waits_in_many_python_calls():
    """They wait at the same time: no operation of TensorFlow's reads what they read."""
    rows = np.random.rand(64, 20).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices(rows)
    dataset = dataset.map(
        lambda row: tf.ensure_shape(tf.numpy_function(wait_for_a_file, [row], tf.float32), (20,)),
        num_parallel_calls=8,
    ).batch(16)
    square = tf.random.normal((2_000, 2_000))
    step = tf.function(lambda batch: tf.reduce_sum(square @ square) + tf.reduce_sum(batch))
    return lambda: [step(batch) for batch in dataset.prefetch(2)]


def trains_a_small_head_on_new_features():
    layers = [keras.layers.Conv2D(64, 3, activation="relu") for _ in range(3)]
    backbone = tf.function(keras.Sequential([keras.Input((48, 48, 3)), *layers]))
    images = np.zeros((160, 48, 48, 3), np.float32)

    def loop():
        for _ in range(6):
            features = tf.reduce_mean(backbone(images), axis=(1, 2))
        head = keras.Sequential([keras.Input((64,)), keras.layers.Dense(2)])
        head(features)

    return loop


def encodes_the_same_documents_with_each_query():
    encoder = lab.models.mlp(width=512, inputs=256, outputs=64)
    documents = tf.random.normal((3000, 256))
    score = tf.function(lambda query, all: tf.linalg.matvec(encoder(all), encoder(query)[0]))
    return lambda: [score(tf.random.normal((1, 256)), documents) for _ in range(10)]


def loads_once_and_predicts_much(folder):
    path = str(folder / "model.keras")
    lab.models.mlp(depth=24).save(path)
    rows = lab.models.random_rows(3000)

    def loop():
        model = keras.models.load_model(path)
        for _ in range(5):
            model.predict(rows, batch_size=256, verbose=0)

    return loop


HEALTHY = [
    loads_once_and_predicts_much,
    trains_a_small_head_on_new_features,
    encodes_the_same_documents_with_each_query,
    waits_in_many_python_calls,
    validates_within_fit,
    generates_batches_with_one_python_call_each,
    joins_a_window_and_a_list,
    collects_and_seeds_once_in_a_while,
    takes_a_new_iterator_for_each_epoch,
    predicts_many_rows,
    predicts_a_dataset,
    fits_a_dataset,
    replays_for_requests,
    replays_a_signature,
    calls_with_many_rows,
    fits_for_epochs,
    trains_in_a_graph,
    trains_on_batches,
    runs_a_finished_graph,
    works_on_large_arrays,
    reads_ahead,
    computes_without_tensorflow,
    keeps_an_interpreter,
    loads_before,
    spawns_nothing_and_sleeps,
    multiplies_eagerly,
    copies_new_arrays,
    uses_four_sizes,
    trains_and_evaluates_once,
]
