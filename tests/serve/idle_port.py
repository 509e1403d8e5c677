#!/usr/bin/env python3
"""A server that does next to nothing: attackers of the control experiment aim at it.

It answers each request head with an empty answer, and reads everything else away. Prints its port.
"""

import asyncio
import resource

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Client(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.head = b""

    def data_received(self, data):
        if self.head is None:
            return
        self.head = (self.head + data)[-4096:]
        if self.head.startswith(b"PRI "):
            self.head = None
        elif b"\r\n\r\n" in self.head:
            self.transport.write(ANSWER)
            self.transport.close()


async def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Client, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
