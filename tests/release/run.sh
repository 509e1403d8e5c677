#!/usr/bin/env bash
# Makes a release of an edgec that is built already, and checks its files: what the archives hold,
# the digests, the signature, the provenance, and what `cargo binstall` would look for.
#
#   tests/release/run.sh EDGEC
set -euo pipefail

edgec=$(realpath "$1")
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
target=$(rustc -vV | sed -n 's/^host: //p')
version=$("$edgec" --version | cut -d ' ' -f 2)
name=edgec-$version-$target

"$edgec" keygen -o "$folder/release.pem" >/dev/null
make=(release/make.sh --program "$target=$edgec")
make_in() { "${make[0]}" "$folder/$1" "${make[@]:1}" --target "$target" "${@:2}" >/dev/null; }
make_in one --key "$folder/release.pem"
make_in two --key "$folder/release.pem"

fail() {
    printf 'FAILED: %s\n' "$1" >&2
    exit 1
}

# The same commit gives the same bytes.
for file in "$name.tar.gz" "edgec-$version.provenance.json" SHA256SUMS; do
    cmp "$folder/one/$file" "$folder/two/$file"
done
cd "$folder/one"
sha256sum --check --strict --quiet SHA256SUMS
[ "$(wc -l <SHA256SUMS)" = 2 ] || fail "SHA256SUMS names other files"
"$edgec" verify-blob SHA256SUMS --key "$folder/release.pub.pem" \
    --bundle SHA256SUMS.dsse.json >/dev/null
sed 's/^./0/' SHA256SUMS >changed
if "$edgec" verify-blob changed --name SHA256SUMS --key "$folder/release.pub.pem" \
    --bundle SHA256SUMS.dsse.json >/dev/null 2>&1; then
    fail "other digests have the same signature"
fi

tar -xzf "$name.tar.gz" -C "$folder"
[ "$("$folder/$name/bin/edgec" --version)" = "$("$edgec" --version)" ] || fail "another program"
bash -n "$folder/$name/share/bash-completion/completions/edgec"
for file in man/man1/edgec-build.1 doc/edgec/LICENSE zsh/site-functions/_edgec \
    fish/vendor_completions.d/edgec.fish edgec/ci-build.sh; do
    [ -s "$folder/$name/share/$file" ] || fail "no $file"
done
if tar -tvzf "$name.tar.gz" | grep -v ' 0/0 '; then fail "an owner"; fi

# The provenance and the metadata for `cargo binstall` name the archive as it is.
cd - >/dev/null
python3 - "$folder/one" "$name" "$version" "$target" <<'END'
import hashlib, json, pathlib, sys, tarfile, tomllib

out, name, version, target = pathlib.Path(sys.argv[1]), *sys.argv[2:]
archive = out / f"{name}.tar.gz"
statement = json.loads((out / f"edgec-{version}.provenance.json").read_text())
digest = hashlib.sha256(archive.read_bytes()).hexdigest()
assert statement["subject"] == [{"name": archive.name, "digest": {"sha256": digest}}]
assert statement["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"]["gitCommit"]
binstall = tomllib.loads(pathlib.Path("cli/Cargo.toml").read_text())["package"]["metadata"]["binstall"]
known = {"repo": "R", "version": version, "target": target, "bin": "edgec", "binary-ext": ""}
def filled(text):
    for key, value in known.items():
        text = text.replace("{ %s }" % key, value)
    assert "{" not in text, text
    return text
assert filled(binstall["pkg-url"]) == f"R/releases/download/v{version}/{archive.name}"
assert binstall["pkg-fmt"] == "tgz"
assert filled(binstall["bin-dir"]) in tarfile.open(archive).getnames()
END

# What is wrong is refused before anything is built.
for wrong in "one" "new --target" "new --nonsense x" "new --program x"; do
    # shellcheck disable=SC2086
    set -- $wrong
    if release/make.sh "$folder/$1" "${@:2}" >/dev/null 2>"$folder/errors"; then
        fail "release/make.sh $wrong"
    fi
    grep -q '^error: ' "$folder/errors" || fail "$wrong: $(cat "$folder/errors")"
done
if release/make.sh >/dev/null 2>&1; then fail "a release without a folder"; fi
echo "a release of $name: passed"
