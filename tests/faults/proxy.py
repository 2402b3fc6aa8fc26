"""Between the product and PostgreSQL: passes bytes on, and cuts a connection at COMMIT where a trial has armed it.
`python -m tests.faults.proxy --listen N --to N --folder FOLDER`.

`commit.undelivered` cuts before the server has read it, `commit.unanswered` when it has answered and nobody has heard.
`link.stalled` leaves both ends connected and passes nothing on, for longer than either may wait.
"""

import argparse
import asyncio
from pathlib import Path

from .arming import Arming

COMMIT = b"COMMIT"
CUTS = ("commit.undelivered", "commit.unanswered")
STALL, STALL_SECONDS = "link.stalled", 20.0


class Cut(ConnectionError):
    """This connection is to end here."""


class Link:
    """What both ways of one connection know."""

    def __init__(self) -> None:
        self.unanswered, self.stalled = asyncio.Event(), asyncio.Event()

    async def pass_by(self) -> None:
        """Nothing goes on in a stalled link, until it breaks."""
        if self.stalled.is_set():
            await asyncio.sleep(STALL_SECONDS)
            raise Cut


class Proxy:
    def __init__(self, port: int, arming: Arming) -> None:
        self.port, self.arming = port, arming

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection, both ways, until either side ends it or it is cut."""
        server, onward = await asyncio.open_connection("127.0.0.1", self.port)
        link = Link()
        ways = [
            asyncio.create_task(self.towards_server(client, onward, link)),
            asyncio.create_task(towards_client(server, back, link)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for writer in (onward, back):
            writer.transport.abort()

    async def towards_server(self, client: asyncio.StreamReader, onward: asyncio.StreamWriter, link: Link) -> None:
        while data := await client.read(65536):
            if self.arming.take(STALL):
                link.stalled.set()
            await link.pass_by()
            if COMMIT in data:
                if self.arming.take(CUTS[0]):
                    raise Cut
                if self.arming.take(CUTS[1]):
                    link.unanswered.set()
            onward.write(data)
            await onward.drain()


async def towards_client(server: asyncio.StreamReader, back: asyncio.StreamWriter, link: Link) -> None:
    while data := await server.read(65536):
        if link.unanswered.is_set():
            raise Cut
        await link.pass_by()
        back.write(data)
        await back.drain()
    await link.pass_by()


async def run(listen: int, to: int, folder: Path) -> None:
    proxy = Proxy(to, Arming(folder))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", listen)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(run(given.listen, given.to, given.folder))


if __name__ == "__main__":
    main()
