import numpy as np

from stylesearch.training.perceptual_hash import MANY_FILES, HashCache, PerceptualHash


def code(number: int) -> PerceptualHash:
    random = np.random.default_rng(number)
    return PerceptualHash(
        random.integers(0, 2**63, 4).astype(np.uint64), random.integers(0, 255, (4, 4, 3), np.uint8)
    )


def name(number: int) -> str:
    return f"{number:064x}"


def same(found, numbers):
    assert found.keys() == {name(number) for number in numbers}
    for number in numbers:
        assert np.array_equal(found[name(number)].shape, code(number).shape)
        assert np.array_equal(found[name(number)].colors, code(number).colors)


def test_what_is_added_is_read(tmp_path):
    cache = HashCache(tmp_path)
    assert cache.read() == {}
    cache.add({})
    assert list(tmp_path.rglob("*")) == []
    cache.add({name(1): code(1), name(2): code(2)})
    cache.add({name(3): code(3)})
    same(HashCache(tmp_path).read(), [1, 2, 3])


def test_a_damaged_file_is_passed_over_and_made_whole_again(tmp_path, caplog):
    cache = HashCache(tmp_path)
    cache.add({name(1): code(1), name(2): code(2)})
    cache.add({name(3): code(3)})
    for damaged in (
        lambda data: data[:-1],
        lambda data: data[:-80],
        lambda data: bytes([data[0] ^ 1]) + data[1:],
    ):
        path = max(tmp_path.rglob("*.bin"), key=lambda path: path.stat().st_size)
        path.write_bytes(damaged(path.read_bytes()))
        same(cache.read(), [3])
        assert "damaged" in caplog.text
        cache.add({name(1): code(1), name(2): code(2)})
        same(cache.read(), [1, 2, 3])


def test_many_files_become_one(tmp_path):
    cache = HashCache(tmp_path)
    numbers = range(MANY_FILES + 1)
    for number in numbers:
        cache.add({name(number): code(number)})
    same(cache.read(), numbers)
    assert len(list(tmp_path.rglob("*.bin"))) == 1
    same(cache.read(), numbers)
