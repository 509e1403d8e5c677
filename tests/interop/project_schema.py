"""Says whether files are projects by the published JSON Schema, as an editor would.

    project_schema.py SCHEMA FILE...

Prints a line for each file: `valid`, or `invalid: ` and the first reason. Needs Python 3.11.
"""

import json
import sys
import tomllib

import jsonschema


def main(schema, files):
    with open(schema, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for name in files:
        with open(name, "rb") as file:
            project = tomllib.load(file)
        errors = [error.message.replace("\n", " ") for error in validator.iter_errors(project)]
        print(f"invalid: {errors[0]}" if errors else "valid")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
