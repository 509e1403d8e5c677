#!/usr/bin/env bash
# Prints the address of the Debian mirror that this machine is set up with: the one of its apt, or
# the one that EDGEC_DEBIAN_MIRROR names.
set -euo pipefail

debian() {
    local targets
    # shellcheck disable=SC2016  # apt puts the values in
    targets=$(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages')
    sed -n 's/^Debian|//p' <<<"$targets" | sed -n '1s|/*$||p'
}

mirror=${EDGEC_DEBIAN_MIRROR:-$(debian)}
if [ -z "$mirror" ]; then
    # The lists may not be there yet.
    apt-get update -q >&2
    mirror=$(debian)
fi
if [ -z "$mirror" ]; then
    echo "apt has no mirror of Debian on this machine: EDGEC_DEBIAN_MIRROR=http://... names one" >&2
    exit 1
fi
echo "$mirror"
