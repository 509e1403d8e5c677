#!/usr/bin/env bash
# Writes bills of materials with an edgec that is built already, and checks them with the validators
# of others: cyclonedx-python-lib, with the schemas that it ships, and SPDX's own pyspdxtools. Both
# come from PyPI.
#
#   tests/sbom/run.sh EDGEC [PROGRAM...]      also of these programs
set -euo pipefail

here=$(dirname "$0")
environment=${XDG_CACHE_HOME:-$HOME/.cache}/edgec/sbom
"$here/../python_environment.sh" "$environment" <<'END'
arrow==1.4.0
attrs==26.1.0
beartype==0.23.1
boolean.py==5.0
click==8.5.1
cyclonedx-python-lib==11.12.0
defusedxml==0.7.1
fqdn==1.6.0
idna==3.20
isoduration==20.11.0
jsonpointer==3.12
jsonschema==4.26.0
jsonschema-specifications==2025.9.1
lark==1.3.1
license-expression==30.4.4
packageurl-python==0.17.6
ply==3.11
py-serializable==2.2.0
pyparsing==3.3.3
python-dateutil==4.0.0
PyYAML==6.0.4
rdflib==7.6.0
referencing==0.37.0
rfc3339-validator==0.1.4
rfc3986-validator==0.1.1
rfc3987-syntax==1.1.0
rpds-py==2026.9.1
semantic-version==2.10.0
six==1.17.0
sortedcontainers==2.4.0
spdx-tools==0.8.5
typing_extensions==4.16.0
tzdata==2026.6
uri-template==1.3.0
uritools==7.0.0
webcolors==25.10.0
xmltodict==1.0.4
END
exec "$environment/bin/python" "$here/check.py" "$@"
