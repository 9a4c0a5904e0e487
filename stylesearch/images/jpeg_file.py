"""Pillow's JPEG decoder, without what a picture search has no use for."""

from __future__ import annotations

from PIL.JpegImagePlugin import JpegImageFile

__all__ = ["JpegFile"]


class JpegFile(JpegImageFile):
    """A JPEG file; of an MPO file (several pictures in one) the first.

    Pillow looks for the resolution in dots per inch while it opens a file, reads the whole EXIF block for
    it, and warns of a damaged one. Nobody here prints on paper. (Should the method be renamed one day, this
    override does nothing.)
    """

    def _read_dpi_from_exif(self) -> None:
        pass
