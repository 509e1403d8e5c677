"""A component of Spin's SDK for Python runs here."""

import components
from host import Server, Store, application, expect


def run(edgec):
    store = Store(edgec)
    store.add(edgec.build(components.spin(), "spin"))
    known = {"config": {"greeting": "good morning"}, "keyvalue": {}}
    with Server(store, [application("spin", **known)], serves=False) as server:
        status, _ = server.ask("spin", "/")
        expect(status == 503, f"it has imports that no host has, and is served: {status}")
        expect("fermyon:spin/" in server.logged(), "the log names no import that is missing")
    with Server(store, [application("spin", **known, **{"stub-imports": True})]) as server:
        expect(server.ask("spin", "/") == (200, "Hello from Python!"), str(server.ask("spin", "/")))
        visits = [server.ask("spin", "/visits") for _ in range(2)]
        expect(visits == [(200, "1"), (200, "2")], str(visits))
        variable = server.ask("spin", "/variable")
        expect(variable == (200, "good morning"), str(variable))
        status, _ = server.ask("spin", "/model")
        expect(status == 500, f"a function that the host lacks: {status}")
        expect("fermyon:spin/llm" in server.logged(), "the log does not name the missing function")
        expect(server.ask("spin", "/")[0] == 200, "after the trap")
    print("  it answers, and uses the key-value store and the configuration; a stub traps by name")
