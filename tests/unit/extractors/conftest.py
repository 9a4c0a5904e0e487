import pytest


@pytest.fixture(autouse=True, scope="module")
def _shared_cache(tmp_path_factory):
    """One cache folder for all modules of a run that use it, so that a model is converted once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLESEARCH_CACHE", str(tmp_path_factory.getbasetemp() / "stylesearch-cache"))
        patch.delenv("STYLESEARCH_DEVICE", raising=False)
        yield
