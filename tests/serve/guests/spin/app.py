"""A program of the Spin SDK. It calls nothing of Spin's, unless the path asks for it."""

from spin_sdk import key_value, llm, variables
from spin_sdk.http import IncomingHandler as Handler
from spin_sdk.http import Request, Response

TEXT = {"content-type": "text/plain"}


def visits():
    with key_value.open_default() as store:
        number = int(store.get("visits") or b"0") + 1
        store.set("visits", str(number).encode())
    return str(number)


class IncomingHandler(Handler):
    def handle_request(self, request: Request) -> Response:
        answers = {
            "/visits": visits,
            "/variable": lambda: variables.get("greeting"),
            # No host of these tests has a language model.
            "/model": lambda: llm.infer("any", "a prompt").text,
        }
        answer = answers.get(request.uri, lambda: "Hello from Python!")
        return Response(200, TEXT, answer().encode())
