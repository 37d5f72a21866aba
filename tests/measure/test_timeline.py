"""The timeline of a recorded call: counts are exact, and the profiler is free afterwards."""

import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest

import labkit as lab
from labkit.measure import timeline as recording
from labkit.measure.timeline import CALLING_THREAD, NothingRecorded, ProfilerBusy, Timeline
from labkit.show.errors import Stopped
from labkit.show.spans import total


@pytest.fixture(autouse=True)
def as_a_learner_has_it(monkeypatch, tmp_path):
    monkeypatch.delenv("LABKIT_STRICT", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # A shell starts programs in its background with interrupts switched off.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
    assert profiler_is_free()
    assert [path.name for path in tmp_path.glob("labkit-*")] == []


@pytest.fixture(scope="module")
def numbers():
    import tensorflow as tf

    return tf.constant([0.1, 0.2, 0.3])


def profiler():
    from tensorflow.profiler import experimental

    return experimental


def profiler_is_free():
    with tempfile.TemporaryDirectory() as folder:
        profiler().start(folder)
        profiler().stop(save=False)
    return True


def press():
    signal.raise_signal(signal.SIGINT)


# ---- what is counted ----


def test_each_operation_of_an_eager_call_is_counted_at_its_time(numbers):
    import tensorflow as tf

    def call():
        for _ in range(7):
            tf.sin(numbers)
        tf.cos(numbers)

    found = lab.profile(call, timeline=True)
    assert found.runs == {"Sin": 7, "Cos": 1}
    assert list(found.threads) == [CALLING_THREAD]  # Python computes them itself
    for runs in found.operations.values():
        for start, stop in runs:
            assert any(low <= start <= stop <= high for low, high in found.threads[CALLING_THREAD])


def test_each_operation_of_a_graph_is_counted_though_python_enters_it_once():
    import tensorflow as tf

    @tf.function
    def graph(x):  # of operations that TensorFlow's optimizer of graphs leaves alone
        for _ in range(7):
            x = tf.matmul(x, x)
        return tf.linalg.inv(x)

    square = tf.eye(3)
    found = lab.profile(lambda: graph(square), timeline=True)
    assert found.runs == {"MatMul": 7, "MatrixInverse": 1}
    assert len(found.threads) > 1  # a thread of the executor computes them, and Python's waits
    waits = found.threads[CALLING_THREAD]
    low, high = min(start for start, _ in waits), max(stop for _, stop in waits)
    for runs in found.operations.values():
        assert all(low <= start <= stop <= high for start, stop in runs)


def test_operations_that_have_proved_quick_are_recorded():
    import tensorflow as tf

    @tf.function
    def graph(x):
        for _ in range(7):
            x = tf.linalg.matrix_transpose(tf.sin(x))
        return x

    square = tf.eye(3)
    before = lab.profile(lambda: graph(square), timeline=True).runs
    for _ in range(300):
        graph(square)
    assert lab.profile(lambda: graph(square), timeline=True).runs == before
    assert before["Sin"] == 7


def test_a_call_without_tensorflow_is_all_python():
    found = lab.profile(lambda: sorted(range(100)), timeline=True)
    assert (found.runs, found.share_of_python) == ({}, 1)
    assert found.threads == {CALLING_THREAD: []}
    assert found.plot().png()


def test_python_and_tensorflow_together_are_the_whole_call(numbers):
    import tensorflow as tf

    found = lab.profile(lambda: tf.sin(numbers), timeline=True)
    together = total(found.python) + total(found.threads[CALLING_THREAD])
    assert together == pytest.approx(found.seconds)
    everything = [found.python, *found.threads.values(), *found.operations.values()]
    for start, stop in (span for spans in everything for span in spans):
        assert 0 <= start <= stop <= found.seconds * (1 + 1e-9)


def test_a_pause_of_python_is_seen_in_the_row_of_python(numbers):
    import tensorflow as tf

    def call():
        tf.sin(numbers)
        time.sleep(0.05)
        tf.sin(numbers)

    found = lab.profile(call, timeline=True)
    longest = max(found.python, key=lambda span: span[1] - span[0])
    assert longest[1] - longest[0] > 0.045
    first, second = found.operations["Sin"]
    assert first[1] <= longest[0] and longest[1] <= second[0]


def test_predict_and_a_training_step_are_recorded():
    import tensorflow as tf

    model, rows = lab.models.service(), tf.constant(lab.models.random_rows(4, inputs=20))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(rows))
        return tape.gradient(loss, model.trainable_variables)

    trained = lab.profile(step, timeline=True)
    assert trained.runs["ReluGrad"] == 3  # one for each hidden layer
    predicted = lab.profile(lambda: model.predict(rows, verbose=0), timeline=True, calls=2)
    assert predicted.runs["MakeIterator"] >= 1  # of the pipeline that each call makes
    assert 0 < predicted.share_of_python < 1


def test_a_call_from_another_thread_than_the_main_one(numbers):
    import tensorflow as tf

    found = []
    work = threading.Thread(
        target=lambda: found.append(lab.profile(lambda: tf.sin(numbers), timeline=True))
    )
    work.start()
    work.join()
    assert found[0].runs == {"Sin": 1}


# ---- a recording, made by hand ----


def space_of(*lines, functions=()):
    """Return a recording; a line is a name and events (name, start, length) in nanoseconds."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    plane = space.planes.add(name="/host:CPU")
    plane.stat_metadata[1].name = "is_func"
    ids = {}
    for i, (name, events) in enumerate(lines):
        # Each thread has a clock that begins at another moment.
        line = plane.lines.add(name=name, timestamp_ns=1000 * i)
        for event, start, length in events:
            number = ids.setdefault(event, len(ids) + 1)
            plane.event_metadata[number].name = event
            added = line.events.add(metadata_id=number)
            added.offset_ps = 1000 * (start - 1000 * i)
            added.duration_ps = 1000 * length
            if event == "EagerExecute" and start in functions:
                added.stats.add(metadata_id=1, int64_value=1)
    return space


MARK = recording._MARK


def test_the_threads_of_a_recording_have_one_clock_and_plain_names():
    space = space_of(
        ("python", [(MARK, 5000, 1000), ("TFE_Py_Execute", 5200, 500)]),
        ("tf_Compute/12", [("a/b:Sin", 5300, 100), ("ExecutorState::Process", 5290, 120)]),
        ("tf_data_iterator_resource/3", [("Iterator::Root", 5400, 50)]),
        ("tf_Compute/7", [("c:Cos", 5350, 100)]),
        ("a thread of yours", [("d:Tan", 5350, 0), ("waits", 5350, 40)]),
        ("tf_Compute/8", [("before:Sin", 4000, 10), ("after:Sin", 6000, 10)]),
    )
    found = recording._timeline_of(space)
    ends = {
        name: [round(1e9 * x) for span in spans for x in span]
        for name, spans in found.threads.items()
    }
    assert ends == {
        CALLING_THREAD: [200, 700],
        "executor thread 1": [290, 410],
        "tf.data thread 1": [400, 450],
        "executor thread 2": [350, 450],
        "other thread 1": [350, 390],
    }
    assert found.runs == {"Cos": 1, "Sin": 1, "Tan": 1}
    assert found.share_of_python == pytest.approx(0.5)


def test_the_kernels_of_a_gpu_are_no_threads():
    space = space_of(("python", [(MARK, 0, 100), ("TFE_Py", 10, 30)]))
    plane = space.planes.add(name="/device:GPU:0")
    plane.event_metadata[1].name = "gemm:MatMul"
    line = plane.lines.add(name="Stream #1")
    line.events.add(metadata_id=1, offset_ps=20_000, duration_ps=10_000)
    found = recording._timeline_of(space)
    assert (found.runs, list(found.threads)) == ({}, [CALLING_THREAD])


def test_what_python_starts_counts_where_it_computes_and_a_graph_is_no_operation():
    eager = [("EagerExecute", 100, 80), ("EagerLocalExecute: MatMul", 110, 60)]
    eager += [("EagerKernelExecute", 130, 20)]
    graph = [("EagerExecute", 300, 80), ("EagerLocalExecute: __inference_f_12", 310, 60)]
    graph += [("EagerKernelExecute", 330, 20)]
    waiting = [("EagerExecute", 500, 80), ("EagerLocalExecute: Sin", 510, 60)]
    events = [(MARK, 0, 1000), *eager, *graph, *waiting, ("EagerKernelExecute", 700, 9)]
    found = recording._timeline_of(space_of(("python", events), functions=[300]))
    lengths = {
        name: [round(1e9 * (stop - start)) for start, stop in runs]
        for name, runs in found.operations.items()
    }
    assert lengths == {"MatMul": [20], "Sin": [60]}


def test_of_several_calls_the_shortest_one_is_shown():
    marks = [(MARK, 0, 500), (MARK, 1000, 100), (MARK, 2000, 300)]
    found = recording._timeline_of(space_of(("python", [*marks, ("TFE_Py", 1010, 30)])))
    assert found.seconds == pytest.approx(100e-9)
    assert found.calls == 3
    assert total(found.threads[CALLING_THREAD]) == pytest.approx(30e-9)


def test_a_recording_without_a_call_is_an_error():
    with pytest.raises(NothingRecorded, match="holds no call"):
        recording._timeline_of(space_of(("python", [("TFE_Py", 1, 1)])))


def test_the_table_counts_the_most_frequent_first_and_adds_up_the_rest():
    operations = {f"Op{i}": [(0.0, 0.1)] * (12 - i) for i in range(12)}
    result = Timeline(1.0, [(0.0, 0.5)], {CALLING_THREAD: [(0.5, 1.0)]}, operations)
    cells = [row[:2] for row in result.table.cells]
    assert cells[:3] == [["Python", ""], [CALLING_THREAD, ""], ["Op0", "12"]]
    assert cells[-2:] == [["4 other types", "10"], ["all operations", "78"]]
    assert len(cells) == 2 + 8 + 2


# ---- what goes wrong ----


@pytest.mark.parametrize("at", [1, 4, 6])  # a warm-up call, the first recorded one, the third one
def test_the_error_of_the_function_is_kept(at, tmp_path):
    calls = []
    wrong = ZeroDivisionError("mine")

    def call():
        calls.append(None)
        if len(calls) == at:
            raise wrong

    with pytest.raises(ZeroDivisionError) as caught:
        lab.profile(call, timeline=True, keep=tmp_path / "kept")
    assert caught.value is wrong
    assert not (tmp_path / "kept").exists()


def test_another_recording_goes_on_and_is_not_disturbed(tmp_path):
    profiler().start(str(tmp_path / "theirs"))
    with pytest.raises(ProfilerBusy, match="one recording at a time: end it with"):
        lab.profile(lambda: None, timeline=True)
    profiler().stop()
    assert list((tmp_path / "theirs").rglob("*.xplane.pb"))


def test_a_function_that_ends_the_recording_is_told_so():
    calls = []

    def call():
        calls.append(None)
        if len(calls) == 4:
            profiler().stop(save=False)

    with pytest.raises(NothingRecorded, match="ended the recording itself"):
        lab.profile(call, timeline=True, calls=1)


def full_disk(*, partly):
    """Return a profiler's stop as on a full disk: it fails, or it says nothing and writes half."""
    whole = profiler().stop

    def stop(save=True):
        whole(save=save and partly)
        if save and not partly:
            raise OSError("No space left on device")
        for path in Path(tempfile.gettempdir()).rglob("*.xplane.pb"):
            path.write_bytes(path.read_bytes()[:-7])

    return stop


@pytest.mark.parametrize("partly", [True, False])
def test_a_full_disk_is_named(partly, monkeypatch):
    with (
        monkeypatch.context() as patch,
        pytest.raises(NothingRecorded, match=r"folder for temporary files.*Is the disk full"),
    ):
        patch.setattr(profiler(), "stop", full_disk(partly=partly))
        lab.profile(lambda: None, timeline=True)


def test_a_recording_that_was_not_written_at_all_is_an_error(monkeypatch):
    whole = profiler().stop
    with monkeypatch.context() as patch, pytest.raises(NothingRecorded, match="there is no file"):
        patch.setattr(profiler(), "stop", lambda save=True: whole(save=False))
        lab.profile(lambda: None, timeline=True)


def test_no_room_for_a_folder_is_an_error_that_says_what_to_do(monkeypatch):
    def full(prefix):
        raise OSError(28, "No space left on device")

    with (
        monkeypatch.context() as patch,
        pytest.raises(NothingRecorded, match=r"No space left on device\. Make room .* TMPDIR"),
    ):
        patch.setattr(tempfile, "mkdtemp", full)
        lab.profile(lambda: None, timeline=True)


@pytest.mark.parametrize("calls", [0, -1, 2.5, "3"])
def test_a_number_of_calls_that_is_none(calls):
    with pytest.raises(ValueError, match="calls is a number of calls from 1 on"):
        lab.profile(lambda: None, timeline=True, calls=calls)


# ---- stopped ----


def pressed_in_call(number):
    calls = []

    def call():
        calls.append(None)
        if len(calls) == number:
            press()

    return call


@pytest.mark.parametrize("number", [1, 3, 4])
def test_stopped_before_one_call_was_recorded_it_says_so(number, tmp_path):
    with pytest.raises(Stopped, match="Stopped before one call was profiled"):
        lab.profile(pressed_in_call(number), timeline=True, keep=tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_stopped_later_it_shows_the_calls_that_are_done():
    found = lab.profile(pressed_in_call(6), timeline=True, calls=30)
    assert found.table.notes == ["interrupted: 2 of 30 calls were recorded"]


# ---- a folder for XProf ----


def test_the_recording_is_kept_where_xprof_looks_for_it(tmp_path):
    found = lab.profile(lambda: None, timeline=True, keep=tmp_path / "kept")
    assert found.folder == tmp_path / "kept"
    (file,) = found.folder.glob("plugins/profile/*/*.xplane.pb")
    assert file.stat().st_size


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "a file").write_text("mine")
    for name, words in (("mine", "mine is not empty"), ("a file", "a file is a file")):
        with pytest.raises(ValueError, match=words):
            lab.profile(lambda: pytest.fail("called"), timeline=True, keep=tmp_path / name)
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "a file").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_an_error_before_anything_is_called(tmp_path):
    with pytest.raises(ValueError, match="no folder missing for kept: make it first"):
        lab.profile(
            lambda: pytest.fail("called"), timeline=True, keep=tmp_path / "missing" / "kept"
        )


def test_an_empty_folder_of_yours_stays_if_nothing_is_recorded(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(ZeroDivisionError):
        lab.profile(lambda: 1 / 0, timeline=True, keep=tmp_path / "mine")
    assert (tmp_path / "mine").is_dir()


def test_a_folder_is_for_a_timeline_and_has_a_name(tmp_path):
    with pytest.raises(ValueError, match="add timeline=True"):
        lab.profile(lambda: None, keep=tmp_path / "kept")
    with pytest.raises(TypeError, match="keep is the name of a new folder, got a bool"):
        lab.profile(lambda: None, timeline=True, keep=True)
