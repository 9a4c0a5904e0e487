import collections
import io
import pickle
import sys
import tracemalloc
import types

import numpy as np
import pytest

from stylesearch.errors import WeightsMismatch
from stylesearch.extractors.torch_legacy import read_legacy_state_dict

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Storage:
    def __init__(self, array):
        self.array = np.ascontiguousarray(array).ravel()


class Tensor:
    """Pickles as PyTorch's tensors do."""

    def __init__(self, storage, offset, shape, stride):
        self.parts = (storage, offset, shape, stride, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


@pytest.fixture
def torch(monkeypatch):
    """Modules with PyTorch's names, so that pickles carry them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def rebuild(*parts):
        raise AssertionError("the reader must not look names up")

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild
    for name in ("FloatStorage", "LongStorage", "BoolStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


@pytest.fixture
def write(torch, tmp_path):
    def write(content, *, header=(MAGIC, PROTOCOL, {"little_endian": True}), kind="FloatStorage", cut=0):
        storages = {}

        class Pickler(pickle.Pickler):
            def persistent_id(self, value):
                if not isinstance(value, Storage):
                    return None
                storages[str(id(value))] = value
                return ("storage", getattr(torch, kind), str(id(value)), "cpu", value.array.size, None)

        file = io.BytesIO()
        for part in header:
            pickle.dump(part, file, protocol=2)
        Pickler(file, protocol=2).dump(content)
        pickle.dump(sorted(storages), file, protocol=2)
        for key in sorted(storages):
            file.write(np.int64(storages[key].array.size).tobytes() + storages[key].array.tobytes())
        path = tmp_path / "weights.pth"
        path.write_bytes(file.getvalue()[: len(file.getvalue()) - cut])
        return path

    return write


def test_reads_tensors_with_their_names_shapes_and_dtype(write):
    values = np.arange(24, dtype=np.float32)
    path = write({"a.weight": Tensor(Storage(values), 0, (2, 3, 4), (12, 4, 1))})
    tensors = read_legacy_state_dict(path)
    assert list(tensors) == ["a.weight"]
    assert tensors["a.weight"].dtype == np.float32
    np.testing.assert_array_equal(tensors["a.weight"], values.reshape(2, 3, 4))


def test_strides_and_offsets_are_followed(write):
    storage = Storage(np.arange(10, dtype=np.float32))
    path = write({"t": Tensor(storage, 1, (3, 2), (1, 4)), "u": Tensor(storage, 7, (), ())})
    tensors = read_legacy_state_dict(path)
    np.testing.assert_array_equal(tensors["t"], [[1, 5], [2, 6], [3, 7]])
    assert tensors["u"].shape == ()
    assert tensors["u"] == 7


def test_integers(write):
    path = write({"n": Tensor(Storage(np.array([5], np.int64)), 0, (1,), (1,))}, kind="LongStorage")
    assert read_legacy_state_dict(path)["n"].tolist() == [5]


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [
        (0, (5,), (1,)),
        (3, (2,), (1,)),
        (0, (2, 2), (3, 1)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (9,), (0,)),
    ],
)
def test_a_tensor_stays_within_its_storage(write, offset, shape, stride):
    path = write({"t": Tensor(Storage(np.zeros(4, np.float32)), offset, shape, stride)})
    with pytest.raises(WeightsMismatch, match="'t'"):
        read_legacy_state_dict(path)


class Evil:
    def __init__(self, function, *arguments):
        self.parts = (function, arguments)

    def __reduce__(self):
        return self.parts


@pytest.mark.parametrize("where", ["content", "header"])
def test_no_code_is_run(write, tmp_path, where):
    trace = tmp_path / "ran"
    evil = Evil(__import__("os").mkdir, str(trace))
    path = (
        write({"t": evil})
        if where == "content"
        else write({}, header=(MAGIC, PROTOCOL, {"little_endian": evil}))
    )
    with pytest.raises(WeightsMismatch, match="not allowed"):
        read_legacy_state_dict(path)
    assert not trace.exists()


def test_even_builtins_are_refused(write):
    with pytest.raises(WeightsMismatch, match="getattr is not allowed"):
        read_legacy_state_dict(write({"t": Evil(getattr, "text", "upper")}))


def test_an_unknown_storage_is_refused(write):
    path = write({"t": Tensor(Storage(np.zeros(1, np.float32)), 0, (1,), (1,))}, kind="BoolStorage")
    with pytest.raises(WeightsMismatch, match="BoolStorage"):
        read_legacy_state_dict(path)


@pytest.mark.parametrize("cut", [1, 16, 20, 60, 150])
def test_a_truncated_file_is_refused(write, cut):
    path = write({"t": Tensor(Storage(np.zeros(4, np.float32)), 0, (4,), (1,))}, cut=cut)
    with pytest.raises(WeightsMismatch, match=r"weights\.pth"):
        read_legacy_state_dict(path)


@pytest.mark.parametrize(
    "header",
    [(1, PROTOCOL, {"little_endian": True}), (MAGIC, 1002, {"little_endian": True}), (MAGIC, PROTOCOL, {})],
)
def test_another_format_is_refused(write, header):
    with pytest.raises(WeightsMismatch):
        read_legacy_state_dict(write({}, header=header))


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 a zip of a newer PyTorch", b"\x80\x02.", b"junk" * 100]
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsMismatch):
        read_legacy_state_dict(path)


def test_values_that_are_no_tensors_are_refused(write):
    with pytest.raises(WeightsMismatch, match="'epoch' is not a tensor"):
        read_legacy_state_dict(write({"epoch": 3}))


HEADER = pickle.dumps(MAGIC, 2) + pickle.dumps(PROTOCOL, 2) + pickle.dumps({"little_endian": True}, 2)
LAUGHS = b"(tq\x00" + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60))
"""A tuple of twice the tuple of twice ...: 2 ** 60 of them, for whoever looks at each."""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x80\x02X\xff\xff\xff\x7f.", id="a text of 2 GB"),
        pytest.param(b"\x80\x02X\xff\xff\xff\xff.", id="a text of 4 GB"),
        pytest.param(b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.", id="bytes of 2 ** 63"),
        pytest.param(b"\x80\x05\x96" + b"\xff" * 5 + b"\0\0\0.", id="a bytearray of 1 TB"),
        pytest.param(b"\x80\x04\x95" + b"\xff" * 5 + b"\0\0\0N.", id="a frame of 1 TB"),
        pytest.param(b"\x80\x02\x8b\xff\xff\xff\x7f.", id="a number of 2 GB"),
        pytest.param(b"Nr\xff\xff\xff\x7f.", id="a place of 2 ** 31 in the memo"),
        pytest.param(b"I" + b"9" * 10_000 + b"\n.", id="a number of 10,000 digits"),
        pytest.param(b"(" * 600_000, id="600,000 marks"),
        pytest.param(HEADER + b"}" + LAUGHS + b"N s.".replace(b" ", b""), id="a key of 2 ** 60 tuples"),
        pytest.param(HEADER + LAUGHS + b"Q.", id="a storage of 2 ** 60 tuples"),
        pytest.param(HEADER + b"(" + b"]" * 100_000 + b"t" + b"." + b"N.", id="a deep tuple"),
        pytest.param(HEADER + b"]" + b"]a" * 100_000 + b".", id="a list of lists"),
        pytest.param(HEADER + b"]q\x00h\x00a.]q\x00h\x00a.", id="a list of itself"),
        pytest.param(HEADER + b"}q\x00X\x01\0\0\0ah\x00s." + b"].", id="a dictionary of itself"),
        pytest.param(HEADER + b"\x86.", id="values that are not there"),
        pytest.param(HEADER + b"ccollections\nOrderedDict\n(K\x01t\x81.", id="another instruction"),
        pytest.param(b"", id="nothing"),
        pytest.param(b".", id="a stop"),
    ],
)
def test_a_file_takes_no_more_than_it_has(tmp_path, data):
    """Nine bytes took two gigabytes; Python's reader allocates what it is told."""
    path = tmp_path / "weights.pth"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(WeightsMismatch, match=r"weights\.pth"):
            read_legacy_state_dict(path)
        assert tracemalloc.get_traced_memory()[1] < 64_000_000 + 20 * len(data)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("shape", "stride"),
    [((1,) * 65, (1,) * 65), ((2**70, 0), (1, 1)), ((0,), (2**80,)), ((10**12, 10**12, 0), (0, 0, 0))],
)
def test_shapes_that_no_array_has_are_refused(write, shape, stride):
    path = write({"t": Tensor(Storage(np.zeros(4, np.float32)), 0, shape, stride)})
    with pytest.raises(WeightsMismatch, match=r"weights\.pth"):
        read_legacy_state_dict(path)


def test_a_thousand_views_of_one_storage_are_not_a_thousand_arrays(write):
    storage = Storage(np.zeros(100_000, np.float32))
    path = write({f"t{n}": Tensor(storage, 0, (100_000,), (1,)) for n in range(1000)})
    with pytest.raises(WeightsMismatch, match="larger than the file"):
        read_legacy_state_dict(path)


def test_what_pytorch_notes_beside_the_tensors_is_passed_over(write):
    content = collections.OrderedDict(t=Tensor(Storage(np.ones(1, np.float32)), 0, (1,), (1,)))
    content._metadata = collections.OrderedDict({"": {"version": 1}})
    assert read_legacy_state_dict(write(content))["t"].tolist() == [1]
