"""The command line in this process, as in the tests of one machine."""

from tests.integration.conftest import stylesearch, usual_log

__all__ = ["stylesearch", "usual_log"]
