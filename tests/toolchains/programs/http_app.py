"""Answers every request with JSON about it. A path that begins with /fail raises an exception."""

import json
import math

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)


def body_of(request):
    content = b""
    with request.consume() as body, body.stream() as stream:
        while True:
            try:
                content += stream.blocking_read(4096)
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    return content
                raise


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        path = request.path_with_query() or ""
        if path.startswith("/fail"):
            raise ValueError(path)
        content = body_of(request)
        answer = {
            "path": path,
            "body": content.decode(errors="replace").upper(),
            "squares": [number * number for number in range(len(path) + 20)],
            "roots": [math.sqrt(number) for number in range(5)],
        }
        response = OutgoingResponse(Fields.from_list([("content-type", b"application/json")]))
        response.set_status_code(200 if len(content) < 1000 else 202)
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        data = json.dumps(answer).encode()
        with body.write() as stream:
            for start in range(0, len(data), 4096):
                stream.blocking_write_and_flush(data[start : start + 4096])
        OutgoingBody.finish(body, None)
