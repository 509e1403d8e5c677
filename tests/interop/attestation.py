#!/usr/bin/env python3
"""Judges an attestation with the implementations of other projects: securesystemslib verifies the
DSSE envelope, and in-toto-attestation validates the statement.

usage: attestation.py ATTESTATION KEY.pub.pem

It prints the statement as JSON and exits with 0 when both accept, else with 1 and the reason.
edgec leaves out the key ids, which DSSE allows. securesystemslib wants one, so this adds that of
the key. `cosign verify-blob-attestation --key` needs no id.
"""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey


def main():
    path, pem = sys.argv[1:]
    public = load_pem_public_key(Path(pem).read_bytes())
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    keyid = hashlib.sha256(der).hexdigest()
    document = json.loads(Path(path).read_bytes())
    for signature in document["signatures"]:
        signature.setdefault("keyid", keyid)
    try:
        envelope = Envelope.from_dict(document)
        envelope.verify([SSlibKey.from_crypto(public, keyid=keyid)], 1)
    except (VerificationError, ValueError) as error:
        return f"securesystemslib: {error}"
    try:
        parsed = json_format.Parse(envelope.payload, statement_pb2.Statement())
        statement = Statement.copy_from_pb(parsed)
        statement.validate()
    except (json_format.ParseError, ValueError) as error:
        return f"in-toto-attestation: {error}"
    print(json_format.MessageToJson(statement.pb))
    return 0


sys.exit(main())
