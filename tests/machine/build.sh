# The build for both machines: every program in this folder, for both CPUs and both profiles.
for program in *.wasm *.wat; do
    [ -e "$program" ] || continue
    for profile in default edge; do
        edgec build -q "$program" --profile "$profile" --compile-timeout 3600 --optimizer-timeout 3600 \
            --key key.pem -o "out/$profile" || exit 1
    done
done
sha256sum out/*/*.cwasm
