"""How tcworker is built and what it needs; the tools' settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "tcworker" / "__init__.py").read_text())[1]

setup(
    name="tcworker",
    version=VERSION,
    description="A Taskcluster worker on Twisted",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license_expression="MPL-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    # The plugin's folder is no package of ours: twisted/ and twisted/plugins/ have no __init__.py.
    packages=[*find_packages(include=["tcworker", "tcworker.*"]), "twisted.plugins"],
    # With a package_dir an editable install writes a plain .pth; with setuptools' own finder twistd sees no plugin.
    package_dir={"": "."},
    package_data={"": ["*.json", "*.yml", "*.html", "*.js", "*.css", "*.svg", "py.typed"]},
    zip_safe=False,
    entry_points={"console_scripts": ["tcworker = tcworker.cli:main"]},
    install_requires=[
        "attrs>=23.1",
        "automat>=25.4",
        "backports.zstd>=1.0; python_version < '3.14'",
        "brotli>=1.1",
        "hyperlink>=21.0",
        "isal>=1.6",
        "json-e>=4.7",
        "jsonschema>=4.20",
        "lz4>=4.3",
        "mohawk>=1.1",
        "pika>=1.3",
        "py7zr>=1.0",
        "pyjwt[crypto]>=2.8",
        "python-dateutil>=2.8",
        "python-snappy>=0.7",
        "PyYAML>=6.0",
        "slugid>=2.0",
        "taskcluster>=60",
        "treq>=24.9",
        "twisted[tls]>=24.10",
        "zope.interface>=6.0",
    ],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Framework :: Twisted",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Software Development :: Build Tools",
        "Topic :: Software Development :: Testing",
        "Typing :: Typed",
    ],
)
