#!/usr/bin/env bash
# Checks shared build caches with real servers: Redis from Debian, S3 by moto and WebDAV by WsgiDAV
# from PyPI. `check.py` has the checks.
#
#   tests/shared_cache/run.sh EDGEC
set -euo pipefail

here=$(dirname "$0")
if ! command -v redis-server >/dev/null; then
    apt-get update -q
    apt-get install -q -y --no-install-recommends redis-server
fi
environment=${XDG_CACHE_HOME:-$HOME/.cache}/edgec/shared-cache
"$here/../python_environment.sh" "$environment" <<'END'
Flask==3.1.3
Jinja2==3.1.6
MarkupSafe==3.0.4
PyYAML==6.0.4
Werkzeug==3.1.9
WsgiDAV==4.3.5
blinker==1.9.0
boto3==1.44.8
botocore==1.44.8
certifi==2026.10.19.post1
cffi==2.1.1
charset-normalizer==3.5.3
cheroot==11.1.2
click==8.5.1
cryptography==50.0.2
defusedxml==0.7.1
flask-cors==6.0.5
idna==3.20
itsdangerous==2.2.0
jaraco.functools==4.6.0
jmespath==1.1.0
json5==0.17.3
more-itertools==11.2.1
moto==5.2.5
py-partiql-parser==0.6.3
pycparser==3.12
python-dateutil==2.9.0.post0
requests==2.34.2
responses==0.26.3
s3transfer==0.19.3
six==1.17.0
urllib3==2.8.0
xmltodict==1.0.4
END
exec "$environment/bin/python" "$here/check.py" "$1"
