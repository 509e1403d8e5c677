#!/usr/bin/env python3
"""A second verifier of edgec artifacts, by docs/format.md and docs/policy.md; it shares no code with
edgec. Python 3.11, its standard library, and `cryptography` for the arithmetic of Ed25519 and ML-DSA."""
import argparse, base64, datetime, functools, hashlib, itertools, json, os, re, releases, stat, struct, sys, time, tomllib, unicodedata
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
def need(condition, reason):
    if not condition: raise ValueError(reason)  # as the parsers of the standard library do
# --- JSON and TOML. A shape is a dict (an object with these fields and no others, `name?` is
# optional), a list of one (a list of such), or a function that says whether a value is right.
def text(value): return type(value) is str
def flag(value): return type(value) is bool
def number(value): return type(value) is int and 0 <= value < 2**64
def version_number(value): return number(value) and value < 2**53
def digest(value): return text(value) and re.fullmatch(r"[0-9a-f]{64}", value) is not None
def one_of(*words): return lambda value: text(value) and value in words
def table_of(item): return lambda value: type(value) is dict and all(map(item, value.values()))
def line(value): return text(value) and not any(unicodedata.category(c) == "Cc" for c in value)
UNSEEN = re.compile("[\0-\u001f\u007f-\u00a0\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u1680\u17b4\u17b5"
                    "\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0"
                    "\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U00013441\U00013442\U00016fe4\U0001bca0-\U0001bca3\U0001d159"
                    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
                    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xfffe, 0xffff)) + "]")
def is_name(name):
    return (text(name) and not set(name) & set("\\*") and not UNSEEN.search(name) and len(name.encode()) <= 128
            and "  " not in name and unicodedata.is_normalized("NFC", name)
            and all(part and part[0] not in ". " and part[-1] != " " for part in name.split("/")))
def is_sorted(value): return list(value) == sorted(value)
def settings(value): return table_of(text)(value) and is_sorted(value)
def exports(value):  # a list, or the count, length and digest of one that is longer than 128 KiB
    return fits(value, [text], True) or fits(value, SUM, True) and value["length"] > 2**17
def extension(value, room):  # with so many lists and objects inside of one another
    inner = list(value.values()) if type(value) is dict else value
    if type(inner) is list: return room > 0 and (type(value) is list or is_sorted(value)) and all(extension(one, room - 1) for one in inner)
    return text(value) or flag(value) or version_number(value)
def extensions(value):
    return (type(value) is dict and value != {} and all(map(is_name, value)) and extension(value, 8)
            and len(spell(value)) <= 2**16)
def fits(value, shape, ordered):
    if callable(shape): return shape(value)
    if type(shape) is list: return type(value) is list and all(fits(item, shape[0], ordered) for item in value)
    known = {name.rstrip("?"): inner for name, inner in shape.items()}
    return (type(value) is dict and {name for name in shape if name[-1] != "?"} <= value.keys() <= known.keys()
            and (not ordered or list(value) == [name for name in known if name in value])
            and all(fits(item, known[name], ordered) for name, item in value.items()))
def spell(value): return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
def parse_json(data, shape, what):
    value = json.loads(data.decode())
    # Text that is not in the one spelling, such as a repeated field, differs from the spelling
    # here.
    need(spell(value) == data and fits(value, shape, True), f"{what}: another spelling, field or type")
    return value
BYTES, RANGE = {"length": number, "sha256": digest}, {"minimum": number, "maximum?": number}
SUM = {"count": number} | BYTES
MANIFEST = {
    "name": is_name, "version": version_number, "displayVersion?": text, "channel?": is_name,
    "kind": one_of("component", "module"), "image": BYTES | {"fsverity": digest},
    "source": {"input": BYTES, "optimized": BYTES},
    "target": {"id": text, "triple": text, "level": text, "cpuFeatures": [text]},
    "engine": {"name": text, "version": text, "profile": text, "tunables": settings, "compatibilityHash": digest},
    "capabilities": {"imports": [text], "exports": exports},
    "resources": {"coreInstances": number, "memories": [RANGE], "tables": [RANGE], "complete": flag},
    "wasmFeatures": [text], "validity?": {"issued?": number, "notBefore?": number, "expires?": number},
    "builder": {"edgec": text, "stages": [{"name": text, "tool": text, "version": text, "settings": settings}]},
    "extensions?": extensions}
SUBJECT = {"name": text, "digest": {"sha256": digest, "fsverity-sha256-12": digest}}
STATEMENT = {"_type": one_of("https://in-toto.io/Statement/v1"), "subject": [SUBJECT],
             "predicateType": one_of("https://edgec.dev/manifest/v1"), "predicate": MANIFEST}
ENVELOPE = {"payload": text, "payloadType": one_of("application/vnd.in-toto+json"),
            "signatures": [{"keyid": text, "sig": text}]}
def open_envelope(data):
    envelope = parse_json(data, ENVELOPE, "envelope")
    fields = [envelope["payload"]] + [one["sig"] for one in envelope["signatures"]]
    payload, *signatures = (base64.b64decode(field, validate=True) for field in fields)
    again = [base64.b64encode(plain).decode() for plain in (payload, *signatures)]
    need(again == fields, "envelope: base64 in another spelling")
    need(len(signatures) <= 64 and all(1 <= len(one) <= 2**15 for one in signatures), "envelope: signatures")
    return payload, [(one["keyid"], signature) for one, signature in zip(envelope["signatures"], signatures)]
def read_statement(payload):
    statement = parse_json(payload, STATEMENT, "statement")
    manifest, name = statement["predicate"], statement["predicate"]["name"]
    digests = {"sha256": manifest["image"]["sha256"], "fsverity-sha256-12": manifest["image"]["fsverity"]}
    need(statement["subject"] == [{"name": name, "digest": digests}], "statement: another subject")
    need(manifest.get("validity") != {}, "statement: an empty validity")
    return manifest
# --- Ed25519, judged strictly, and ML-DSA-65.
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, EIGHTH = -121665 * pow(121666, -1, P) % P, 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7
SMALL_ORDER = {0, 1, P - 1, EIGHTH, P - EIGHTH}  # values of y, whatever the sign of x
SPKI = {"ed25519": (bytes.fromhex("302a300506032b6570032100"), 32),
        "ml-dsa-65": (bytes.fromhex("308207b2300b0609608648016503040312038207a100"), 1952)}
def is_fit(point):
    y = int.from_bytes(point, "little") % 2**255
    x_squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    return y < P and y not in SMALL_ORDER and pow(x_squared, (P - 1) // 2, P) == 1  # the last: on the curve
def parse_key(lines):  # of one PEM document: its algorithm, and the key in DER
    begin, *body, end = lines
    need((begin, end) == ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"), "not a public key in PEM")
    need(body and all(len(line) == 64 for line in body[:-1]) and len(body[-1]) <= 64, "not a public key in lines of 64")
    der = base64.b64decode("".join(body), validate=True)
    for algorithm, (prefix, length) in SPKI.items():
        if der.startswith(prefix) and len(der) == len(prefix) + length and (algorithm != "ed25519" or is_fit(der[-32:])):
            return algorithm, der
    raise ValueError("not a fit Ed25519 or ML-DSA-65 public key")
def parse_keys(pem):  # of a signer: one key, or one of each algorithm
    lines = pem.strip().splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith("-----BEGIN")] + [len(lines)]
    documents = ["\n".join(lines[at:end]).strip().splitlines() for at, end in zip(starts, starts[1:])]
    need(documents and starts[0] == 0, "not a public key in PEM")
    keys = [parse_key(one) for one in documents if one]
    need(len(dict(keys)) == len(keys), "two keys of one algorithm")
    return dict(keys)
def check_signature(der, message, signature):
    if len(der) == 44:
        need(len(signature) == 64 and is_fit(signature[:32]), "signatures: R is unfit, or another length")
        need(int.from_bytes(signature[32:], "little") < L, "signatures: S is unfit")
        Ed25519PublicKey.from_public_bytes(der[12:]).verify(signature, message)  # or InvalidSignature
    else:
        need(len(signature) == 3309, "signatures: another length")
        MLDSA65PublicKey.from_public_bytes(der[22:]).verify(signature, message)  # or InvalidSignature
# --- The file: its regions, and the image.
def split(file):
    need(40 <= len(file) <= 2**30, "layout: too short or too long")
    image_len, at, length, version, reserved, magic = struct.unpack("<QQQII8s", file[-40:])
    need(magic == b"\x89edgec\r\n" and version == 1 and reserved == 0, "layout: not a footer")
    need(at == (image_len + 7) // 8 * 8 and at + length + 40 == len(file), "layout: tiling")
    need(1 <= length <= 2**22 and not any(file[image_len:at]), "layout: envelope length, or padding")
    return file[:image_len], file[at:-40]
def fsverity(data):
    def hashes(level):
        return b"".join(hashlib.sha256(level[i:i + 4096].ljust(4096, b"\0")).digest() for i in range(0, len(level), 4096))
    root = hashes(data) or bytes(32)
    while len(root) > 32: root = hashes(root)
    return hashlib.sha256(struct.pack("<BBBBIQ32s208x", 1, 1, 12, 0, 0, len(data), root)).hexdigest()
SECTIONS = {".text", ".eh_frame", ".rodata.wasm", ".name.wasm", ".symtab", ".strtab", ".shstrtab"} | {
    f".wasmtime.{part}" for part in "engine info addrmap stackmap traps exceptions bti".split()}
def parse_elf(image):  # the machine, the kind, and the bytes of `.wasmtime.engine`
    need(len(image) >= 64 and image[:9] == b"\x7fELF\x02\x01\x01\xc8\x00", "image: not an ELF file of the engine")
    machine, phoff, table, kind, phnum, entry, total, names = struct.unpack_from("<2xH12xQQI4xHHHH", image, 16)
    need(machine in (62, 183) and kind in (1, 2) and phoff == phnum == 0, "image: machine, kind or segments")
    need(entry == 64 and names < total <= 64 and table % 8 == 0 and table + 64 * total <= len(image), "image: sections")
    headers = [struct.unpack_from("<IIQQQQ", image, table + 64 * i) for i in range(total)]
    need(headers[names][1] == 3 and not any(image[table:table + 64]), "image: no section names, or a first section")
    strings = image[headers[names][4]:sum(headers[names][4:])]
    regions, found = [(0, 64), (table, 64 * total)], {}
    for name_at, type_, attributes, _, offset, size in headers[1:]:
        name, end, _ = strings[name_at:].partition(b"\0")
        name = name.decode()
        need(name in SECTIONS or name.startswith((".debug_", ".rela.debug_")), f"image: section {name!r}")
        need(end and len(name) <= 64 and name not in found, f"image: two sections {name!r}")
        need(type_ not in (0, 8) and offset + size <= len(image), f"image: {name} has no bytes")
        need(type_ not in (4, 9) or name.startswith(".rela.debug_"), f"image: relocations in {name}")
        need(attributes & 5 == (4 if name == ".text" else 0), f"image: {name} is marked for another access")
        need(name != ".text" or (offset | size) % (4096 if machine == 62 else 65536) == 0, "image: code not on pages")
        found[name] = image[offset:offset + size]
        regions += [(offset, size)] if size else []
    end = 0
    for offset, size in sorted(regions) + [(len(image), 0)]:
        need(offset >= end and not image[end:offset].strip(b"\0"), "image: an overlap, or stray bytes")
        end = offset + size
    needed = {f".wasmtime.{name}" for name in ("engine", "exceptions", "traps")[:3 if found.get(".text") else 1]}
    needed = needed <= {name for name in found if len(found[name]) >= 8}
    need(needed and len(found[".wasmtime.engine"]) <= 65536, "image: a section is missing, or too long")
    return machine, ("module", "component")[kind - 1], found[".wasmtime.engine"]
def parse_engine(data):  # the engine's major version, the triple, the CPU flags that are on
    stream = iter(data)
    def take(length):
        need(len(part := bytes(itertools.islice(stream, length))) == length, "image: engine section")
        return part
    def varint(bits):
        parts = take(1)
        while parts[-1] >= 0x80: parts += take(1)
        value = sum((byte & 0x7F) << 7 * at for at, byte in enumerate(parts))
        need(value < 2**bits and len(parts) <= (bits + 6) // 7, "image: engine section")
        return value
    def setting():
        name, type_ = take(varint(64)).decode(), varint(32)
        value = take(varint(64)).decode() if type_ == 0 else take(1)[0]
        need(type_ < 2 or type_ == 2 and value < 2, "image: engine section")
        return name, type_ == 2 and value == 0
    need(take(1) == b"\0", "image: engine section")
    major, triple = take(take(1)[0]).decode(), take(varint(64)).decode()
    _shared, cpu = ([setting() for _ in range(varint(64))] for _ in range(2))
    return major, triple, {name for name, is_off in cpu if not is_off}
def check_image(image, manifest, targets):
    stated, engine = manifest["target"], manifest["engine"]
    signed = tuple(manifest["image"][field] for field in ("length", "fsverity", "sha256"))
    need(signed == (len(image), fsverity(image), hashlib.sha256(image).hexdigest()), "digest: not the image that was signed")
    known = [{field: target[field] for field in stated} | {"cpuFeatures": sorted(target["cpuFeatures"])}
             for target in targets if target["id"] == stated["id"]]
    need(known == [stated], "image: not a target that is known")
    flags = {"has_" + feature.replace(".", "").replace("avxvnni", "avx_vnni") for feature in stated["cpuFeatures"]}
    family = {"x86_64": 62, "aarch64": 183}[stated["triple"].split("-")[0]]
    signed = engine["name"], family, manifest["kind"], engine["version"].split(".")[0], stated["triple"], flags
    machine, kind, section = parse_elf(image)
    need(signed == ("wasmtime", machine, kind, *parse_engine(section)), "image: not what its manifest says")
# --- The policy.
def moment(value):
    in_utc = type(value) is datetime.datetime and value.utcoffset() == datetime.timedelta(0)
    return in_utc and value.microsecond == 0 and value.year >= 1970
def is_within(rule, now):
    def time_of(field, default): return rule[field].timestamp() if field in rule else default
    return time_of("not-before", now) <= now < time_of("expires", now + 1)
def engine_version(value):
    exact = text(value) and re.fullmatch(r"(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){2}", value)
    return tuple(map(int, value.split("."))) if exact else None
CHECKS = ("application channel target version revocation compiler builder advisories profile imports validity expiry audit"
          " provenance release freshness notary log").split()
def can_match(*names): return lambda value: text(value) and any(matches({"": [value]}, "", name) for name in names)
def for_name(value): return text(value) and any(is_name(value.replace("*", filling)) for filling in ("", "x"))
def for_channel(value): return text(value) and (value.strip("*") == "" or for_name(value))
def some(shape): return lambda value: value != [] and fits(value, [shape], False)
SELECTOR = {"applications?": some(for_name), "targets?": some(text), "channels?": some(for_channel)}
DENIED = {"from?": engine_version, "before?": engine_version, "targets?": some(text), "reason": line}
POLICY = {
    "name?": line, "version?": version_number, "expires?": moment, "threshold": number, **releases.policy_fields(version_number, number, text, moment),
    "minimum-load-mode?": one_of("private-copy", "sealed-memfd", "trusted-store", "fs-verity"),
    "key": [{"name": line, "pem": text, "algorithms?": some(one_of(*SPKI)), "roles?": releases.roles, "not-before?": moment, "expires?": moment} | SELECTOR],
    "scope?": [{"threshold": number, "keys?": [text]} | SELECTOR],
    "revoked-key?": [{"id": digest, "reason": line, "revoked-from?": moment}], "revoked-digest?": [{"fsverity": digest, "reason": line}],
    "allow?": {"applications?": [for_name], "targets?": [text], "channels?": [for_channel],
               "profiles?": [can_match("default", "edge")], "imports?": [text]},
    "compiler?": {"minimum?": engine_version, "advisories?": flag, "audit?": flag, "deny?": [DENIED]},
    "log?": {"key": text, "witness?": [text], "witnesses?": number}, "builder?": {"minimum?": engine_version},
    "provenance?": {"builder?": some(text), "source?": some(text), "keys?": some(text), "sbom?": flag},
    "minimum-version?": table_of(number), "validity?": {"expiry-required?": flag, "policy-expiry-required?": flag},
    "checks?": {f"{check}?": one_of("enforce", "warn", "off") for check in CHECKS}}
SPELLINGS = {"x86_64": ["x86_64", "x86-64", "amd64"], "aarch64": ["aarch64", "arm64"]}
def names_of(stated, targets):  # of a target: its id, its aliases, its triple with each spelling of the family
    family, rest = (stated["triple"] + "-").split("-", 1)
    aliases = [alias for target in targets if target["id"] == stated["id"] for alias in target["aliases"]]
    return [stated["id"], *aliases, *(f"{name}-{rest[:-1]}" for name in SPELLINGS.get(family, [family]))]
def read_policy(path, now, targets):
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        facts = os.fstat(file.fileno())
        need(stat.S_ISREG(facts.st_mode) and facts.st_size <= 2**20, "not a regular file, or too long")
        need(facts.st_uid in (0, os.geteuid()) and not facts.st_mode & 0o022, "others may change the file")
        policy = tomllib.loads(file.read().decode())
    need(fits(policy, POLICY, False), "an unknown or missing field, or a wrong type")
    need("name" in policy or "version" not in policy, "a version without a name")
    need(all(map(is_name, policy.get("minimum-version", ()))) and is_within(policy, now), "minimum-version, or it has expired")
    need("provenance" in policy or policy.get("checks", {}).get("provenance", "off") == "off", "provenance: only a mode")
    need("log" in policy or policy.get("checks", {}).get("log", "off") == "off", "log: only a mode")
    releases.check_policy(policy, need, is_name)
    denied = policy.get("compiler", {}).get("deny", [])
    need(all({"from", "before"} & rule.keys() for rule in denied), "deny: no bounds")
    ends = [(engine_version(rule.get("from", "0.0.0")), engine_version(rule.get("before"))) for rule in denied]
    need(all(end is None or start < end for start, end in ends), "deny: an empty range")
    is_target = can_match(*(name for target in targets for name in names_of(target, targets)))
    rules = [policy.get("allow", {}), *policy["key"], *policy.get("scope", []), *denied]
    need(all(is_target(name) for rule in rules for name in rule.get("targets", [])), "an unknown target")
    check_effects(policy, targets)
    return policy
def check_keys(policy):
    for key in policy["key"]:
        keys = parse_keys(key["pem"])
        key["keys"] = {hashlib.sha256(der).hexdigest(): der for der in keys.values()}
        needed = set(key.get("algorithms", keys))
        need(needed <= keys.keys(), "algorithms: no such key")
        key["needed"] = {hashlib.sha256(der).hexdigest() for algorithm, der in keys.items() if algorithm in needed}
    names = releases.check_roles(policy, need)
    need(set(policy.get("provenance", {}).get("keys", names)) <= names, "provenance: an unknown key")
    for quorum in [policy] + policy.get("scope", []):
        chosen = set(quorum.get("keys", names))
        need(chosen <= names and 0 < quorum["threshold"] <= len(chosen), "a threshold out of reach")
    return policy
@functools.cache
def meet(one, two):  # whether some text matches both patterns
    if not one or not two: return set(one + two) <= {"*"}
    if one[0] == "*": return meet(one[1:], two) or meet(one, two[1:])
    if two[0] == "*": return meet(two, one)
    return one[0] == two[0] and meet(one[1:], two[1:])
def check_effects(policy, targets):  # what can only ever match nothing is refused
    need(all("not-before" not in key or "expires" not in key or key["not-before"] < key["expires"] for key in policy["key"]), "a key that never counts")
    allow, modes = policy.get("allow", {}), policy.get("checks", {})
    for field in ("applications", "channels", "targets"):
        allowed = allow.get(field, []) if modes.get(field[:-1], "enforce") == "enforce" else []
        if not allowed: continue
        for own in (rule[field] for rule in [*policy["key"], *policy.get("scope", [])] if field in rule):
            if field == "targets":
                named = [{"names": names_of(target, targets)} for target in targets]
                met = any(for_target({"targets": own}, one) and for_target({"targets": allowed}, one) for one in named)
            else: met = any(meet(one, two) for one in own for two in allowed)
            need(met, f"{field}: nothing that is allowed")
        if field == "applications":
            names = [*policy.get("minimum-version", {}), *(one["application"] for one in policy.get("reset", []))]
            need(all(matches({"": allowed}, "", name) for name in names), "minimum-version or reset: of what is not allowed")
def matches(rule, field, value):
    patterns = [".*".join(map(re.escape, pattern.split("*"))) for pattern in rule.get(field, ["*"])]
    return any(re.fullmatch(pattern, value, re.DOTALL) for pattern in patterns)
def for_target(rule, manifest): return any(matches(rule, "targets", name) for name in manifest["names"])
def selects(rule, manifest):
    return (matches(rule, "applications", manifest["name"]) and matches(rule, "channels", manifest.get("channel", ""))
            and for_target(rule, manifest))
def signers_of(payload, signatures, policy):  # those of whom each key that must sign has signed
    signed = dict(signatures)
    need(len(signed) == len(signatures), "signatures: one key id twice")
    pae = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)
    for key in policy["key"]:
        for one in key["keys"].keys() & signed.keys(): check_signature(key["keys"][one], pae, signed[one])
    return [key for key in policy["key"] if key["needed"] <= signed.keys()]
def check_signatures(payload, signatures, policy, now, known):  # whose they are: trusted, not revoked, within their time
    counting = [key for key in signers_of(payload, signatures, policy) if releases.has_role(key, "artifact")
                and not releases.is_revoked(key, policy, known) and is_within(key, now)]
    need(len(counting) >= policy["threshold"], "signatures: not enough keys that count")
    return counting
def check_quorums(found, policy, manifest):
    names = {key["name"] for key in found if selects(key, manifest)}
    for quorum in [policy] + [scope for scope in policy.get("scope", []) if selects(scope, manifest)]:
        need(len(names & set(quorum.get("keys", names))) >= quorum["threshold"], "signatures: not enough for this")
def has_signed(der, message, signature):
    try: return check_signature(der, message, signature) is None
    except (ValueError, InvalidSignature): return False
SBOMS = "application/vnd.cyclonedx+json", "application/spdx+json"
def is_proved(data, policy, manifest, now, sboms):  # by a provenance: an envelope of its own, in any spelling
    rules, image = policy.get("provenance", {}), manifest["image"]["fsverity"]
    try:
        envelope = json.loads(data)
        fields = [envelope["payload"], *(one["sig"] for one in envelope["signatures"])]
        payload, *signatures = (base64.b64decode(field.translate({45: 43, 95: 47}), validate=True) for field in fields)
        need(len(data) <= 2**20 and len(signatures) <= 16 and envelope["payloadType"] == "application/vnd.in-toto+json", "provenance")
        pae = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)
        counts = [[key["keys"][one] for one in key["needed"]] for key in policy["key"] if not releases.is_revoked(key, policy, None)
                  and releases.has_role(key, "artifact") and is_within(key, now) and selects(key, manifest)
                  and key["name"] in rules.get("keys", [key["name"]])]
        need(any(all(any(has_signed(der, pae, one) for one in signatures) for der in ders) for ders in counts), "provenance: not by a key that counts")
        statement = json.loads(payload)
        build, run = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
        need(statement["predicateType"] == "https://slsa.dev/provenance/v1", "provenance: predicate")
        need(build["buildType"] == "https://edgec.dev/build/v1", "provenance: build type")
        need(any(one["digest"].get("fsverity-sha256-12") == image for one in statement["subject"]), "provenance: subject")
        source = build["externalParameters"].get("source", {}).get("repository")
        listed = {one.get("digest", {}).get("sha256") for one in run.get("byproducts", []) if one.get("mediaType") in SBOMS}
        need(sboms & listed if sboms else not rules.get("sbom"), "provenance: no such bill of materials")
        return matches(rules, "builder", run["builder"]["id"]) and ("source" not in rules or text(source) and matches(rules, "source", source))
    except (ValueError, KeyError, TypeError, AttributeError): return False
def check_rules(manifest, policy, options, beside):
    modes, allow, compiler = (policy.get(part, {}) for part in ("checks", "allow", "compiler"))
    name, target, channel, engine = (manifest.get(field, "") for field in ("name", "target", "channel", "engine"))
    version, validity, uses = engine_version(engine["version"]), manifest.get("validity", {}), set(manifest["wasmFeatures"])
    def enforce(check, condition): need(condition or modes.get(check) in ("warn", "off"), f"{check}: refused")
    def made_by(limits):
        least, end = engine_version(limits.get("from", "0.0.0")), engine_version(limits.get("before"))
        return least <= version and (end is None or version < end)
    need(options.name in (None, name) and options.channel in (None, channel), "not what was asked for")
    for check, fact in ("application", name), ("channel", channel), ("profile", engine["profile"]):
        enforce(check, matches(allow, f"{check}s", fact))
    enforce("target", for_target(allow, manifest))
    enforce("imports", all(matches(allow, "imports", one) for one in manifest["capabilities"]["imports"]))
    enforce("version", manifest["version"] >= policy.get("minimum-version", {}).get(name, 0))
    enforce("revocation", all(manifest["image"]["fsverity"] != one["fsverity"] for one in policy.get("revoked-digest", [])))
    if "minimum" in compiler or compiler.get("deny"):
        denied = [rule for rule in compiler.get("deny", []) if for_target(rule, manifest)]
        enforce("compiler", version and made_by({"from": compiler.get("minimum", "0.0.0")}) and not any(map(made_by, denied)))
    if "minimum" in policy.get("builder", {}):
        made = engine_version(manifest["builder"]["edgec"])
        enforce("builder", made and made >= engine_version(policy["builder"]["minimum"]))
    if compiler.get("advisories"):
        concerns = lambda one, kind, mine: not one[kind] or mine & set(one[kind])
        ranges = [one["affected"] for one in (options.advisories or {}).get("results", []) if "shape" not in one
                  and concerns(one, "features", uses) and concerns(one, "families", {target["triple"].split("-")[0]})]
        enforce("advisories", options.advisories is not None and version and not any(map(made_by, ranges)))
    enforce("audit", not compiler.get("audit"))  # there is no disassembler here: nothing can be said of the code
    sboms = {hashlib.sha256(open(path, "rb").read()).hexdigest() for path in options.sbom}
    proved = [is_proved(open(path, "rb").read(), policy, manifest, options.at, sboms) for path in options.provenance]
    enforce("provenance", any(proved) if proved else "provenance" not in policy and not sboms)
    beside.check(manifest, enforce)
    enforce("log", "log" not in policy)  # proofs of logs are not read here
    enforce("validity", validity.get("notBefore", 0) <= options.at < validity.get("expires", 2**64))
    enforce("expiry", "expires" in validity or not policy.get("validity", {}).get("expiry-required"))
def verify(file, policy, options):
    image, envelope = split(file)
    payload, signatures = open_envelope(envelope)
    beside = releases.Beside(sys.modules[__name__], policy, options, payload)
    found = check_signatures(payload, signatures, policy, options.at, beside.known)
    manifest = read_statement(payload)  # and not before those who are trusted have signed it
    manifest["names"] = names_of(manifest["target"], options.targets)
    check_quorums(found, policy, manifest)
    check_image(image, manifest, options.targets)
    check_rules(manifest, policy, options, beside)
def main():
    def document(path): return json.load(open(path, "rb"))
    parser = argparse.ArgumentParser(description=__doc__)
    trust = parser.add_mutually_exclusive_group(required=True)
    trust.add_argument("--trust", metavar="POLICY", help="edgec-trust.toml")
    trust.add_argument("--key", metavar="PEM", action="append", help="repeated: all of these must have signed")
    for asked in ("--name", "--channel"): parser.add_argument(asked, help="what is asked for; something else is refused")
    for one in "provenance sbom release timestamp notary".split(): parser.add_argument(f"--{one}", metavar="FILE", action="append", default=[], help="repeated: one of them is about the artifact")
    parser.add_argument("--at", type=int, default=int(time.time()), help="seconds since 1970, instead of now")
    parser.add_argument("--targets", type=document, default=os.path.join(os.path.dirname(__file__), "targets.json"))
    parser.add_argument("--advisories", type=document, help="the output of `edgec advisories --format json`")
    parser.add_argument("artifact", nargs="+")
    options, refused = parser.parse_args(), 0
    for path in options.artifact:
        try:
            keys = [{"name": key, "pem": open(key).read(), "roles": releases.OWNER} for key in options.key or []]
            policy = {"threshold": len(keys), "key": keys} if keys else read_policy(options.trust, options.at, options.targets)
            need(os.path.isfile(path) and os.path.getsize(path) <= 2**30, "not a file, or too long")
            verify(open(path, "rb").read(), check_keys(policy), options)
            print(f"{path}: accepted")
        except (ValueError, RecursionError, OSError, InvalidSignature) as error:
            print(f"{path}: rejected: {str(error) or 'signatures: not by the key that is named'}")
            refused = 1
    return refused
if __name__ == "__main__": sys.exit(main())
