#!/usr/bin/env python3
"""Lets other people's tools judge an envelope: securesystemslib (DSSE) and in-toto-attestation.

others.py ENVELOPE THRESHOLD KEY.pem... exits with 0 when both accept, else with 1 and the reason.
Neither knows edgec: what they check is the standard's half of the format.
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


def key(path):
    """A public key under edgec's id for it; in DSSE, users choose the ids."""
    public = load_pem_public_key(Path(path).read_bytes())
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SSlibKey.from_crypto(public, keyid=hashlib.sha256(der).hexdigest())


def main():
    path, threshold, *keys = sys.argv[1:]
    try:
        envelope = Envelope.from_dict(json.loads(Path(path).read_bytes()))
        accepted = envelope.verify([key(pem) for pem in keys], int(threshold))
    except (VerificationError, ValueError) as error:
        return f"securesystemslib: {error}"
    try:
        parsed = json_format.Parse(envelope.payload, statement_pb2.Statement())
        statement = Statement.copy_from_pb(parsed)
        statement.validate()
    except (json_format.ParseError, ValueError) as error:
        return f"in-toto-attestation: {error}"
    subject = statement.pb.subject[0]
    print(json.dumps({
        "keys": sorted(accepted),
        "payloadType": envelope.payload_type,
        "predicateType": statement.pb.predicate_type,
        "subject": subject.name,
        "digest": dict(sorted(subject.digest.items())),
    }))
    return 0


sys.exit(main())
