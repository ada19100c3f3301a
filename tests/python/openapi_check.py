"""Prints `valid` if a file holds a valid OpenAPI description; fails with what is wrong.

usage: openapi_check.py FILE
"""

import json
import sys

from openapi_spec_validator import validate


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        validate(json.load(file))
    print("valid")


if __name__ == "__main__":
    main(*sys.argv[1:])
