"""Decodes PPM files whose white is no 255, which Pillow does sample by sample in Python."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image, ImageFile
from PIL.PpmImagePlugin import PpmImageFile

__all__ = ["PpmFile"]

_DECODER: Final = "stylesearch_ppm"


class PpmFile(PpmImageFile):
    """A PPM file: as Pillow opens it, but with a quick decoder where it has a slow one."""

    def _open(self) -> None:
        super()._open()
        self.tile = [
            tile._replace(codec_name=_DECODER) if tile.codec_name == "ppm" else tile for tile in self.tile
        ]


class _Decoder(ImageFile.PyDecoder):
    """Scales samples of 1 or 2 bytes from 0 ... white to 0 ... 255, or 65535 in mode I; rounds half to even.

    Values above white are white. Samples that the file lacks make it fail, as with Pillow's decoder.
    """

    _pulls_fd = True

    def decode(self, buffer: Image.DecoderInput) -> tuple[int, int]:
        assert self.fd is not None
        _, white = self.args
        kind = np.dtype("u1" if white < 256 else ">u2")
        n_samples = self.state.xsize * self.state.ysize * Image.getmodebands(self.mode)
        raw = self.fd.read(n_samples * kind.itemsize)
        samples = np.frombuffer(raw[: len(raw) // kind.itemsize * kind.itemsize], kind)
        deep = self.mode == "I"
        levels = np.rint(np.arange(white + 1) / white * (65535 if deep else 255))
        scaled = levels.astype("<u4" if deep else "u1")[np.minimum(samples, white)]
        self.set_as_raw(scaled.tobytes(), "I;32" if deep else self.mode)
        return -1, 0


Image.register_decoder(_DECODER, _Decoder)
