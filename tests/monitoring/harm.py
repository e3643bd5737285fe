"""Bytes that nobody has written so: any at all, and those of something true with a little harm done to them."""

from hypothesis import strategies as st


def harmed(*true: bytes) -> st.SearchStrategy[bytes]:
    """Any bytes, or some of the true ones cut, with bytes changed, doubled, put in or taken out."""
    return st.binary(max_size=200) | st.builds(
        _harm, st.sampled_from(true), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=4)))
    )


def _harm(body: bytes, harms: list[tuple[float, int, bytes]]) -> bytes:
    for where, how, other in harms:
        at = int(where * len(body))
        match how:
            case 0:
                body = body[:at]
            case 1:
                body = body[:at] + other + body[at + len(other) :]
            case 2:
                body = body[:at] + other + body[at:]
            case _:
                body = body[:at] + body[at + len(other) + 1 :]
    return body
