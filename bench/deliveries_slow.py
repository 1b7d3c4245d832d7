"""Clients that take their time: silent ones, heads and bodies that drip, with and without the secret; each comes again."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bench.intake_doors import SECRET

_HEAD = "POST /in/wiz-third HTTP/1.1\r\nHost: x\r\n"
_BEGUN = _HEAD + "Content-Type: application/json\r\nContent-Length: 900000\r\nAuthorization: Bearer "
_WAYS = (
    (b"", b""),
    (b"", b"\r\n"),
    (_HEAD.encode(), b"X-A: b\r\n"),
    ((_HEAD + "X-Long: ").encode(), b"a"),
    ((_BEGUN + "wrong\r\n\r\n").encode(), b" "),
    ((_BEGUN + SECRET + "\r\n\r\n{").encode(), b" "),
    ((_BEGUN + SECRET + "\r\n\r\n{").encode(), b" " * 4_500),
)


async def slow(port: int, number: int, seconds: float) -> int:
    """So many of them for so long, twenty-five from each address. Returns how often one was cut off."""
    loop, cut = asyncio.get_running_loop(), 0
    end = loop.time() + seconds

    async def one(which: int) -> None:
        nonlocal cut
        first, drip = _WAYS[which % len(_WAYS)]
        await asyncio.sleep(which / number)
        while loop.time() < end:
            with suppress(OSError, TimeoutError):
                await _dawdle(port, f"127.0.9.{1 + which // 25}", first, drip, end)
            cut += loop.time() < end
            await asyncio.sleep(0.2)

    await asyncio.gather(*(one(which) for which in range(number)))
    return cut


async def _dawdle(port: int, address: str, first: bytes, drip: bytes, end: float) -> None:
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        writer.write(first)
        while loop.time() < end and not writer.is_closing():
            if drip:
                writer.write(drip)
                await writer.drain()
            # It reads nothing but the end of the connection.
            with suppress(TimeoutError):
                if not await asyncio.wait_for(reader.read(65_536), 1.0):
                    return
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
