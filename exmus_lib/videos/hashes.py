"""Every two of very many bit strings compared: in machine code, words of 64 bits at a time, without a table of all pairs."""

import numpy as np
from numba import njit

BLOCK = 4096  # strings compared with one before looking whether any is near: what fits into the nearest cache
WORDS = 3  # of a string, unrolled below


def near(bits: np.ndarray, owner: np.ndarray, limit: int) -> np.ndarray:
    """The pairs (P, 2) of owners, the lesser first, of which any two strings differ in at most `limit` bits.

    `bits` (N, B) are booleans, at most 192 each, `owner` (N,) whole numbers in ascending order. Quadratic in N: 400,000 strings
    take about a minute where the processor counts the bits of several words at once, some minutes elsewhere.
    """
    packed = np.packbits(bits, axis=1)
    packed = np.pad(packed, ((0, 0), (0, 8 * WORDS - packed.shape[1])))
    words = np.ascontiguousarray(packed.view(np.uint64).T)  # (WORDS, N)
    ends = np.searchsorted(owner, owner, "right")
    return np.unique(np.array(_near(words, owner, ends, limit), dtype=np.int64).reshape(-1, 2), axis=0)


@njit(cache=True)
def _near(words, owner, ends, limit):
    pairs = [(0, 0) for _ in range(0)]  # an empty list whose type is known
    differing = np.empty(BLOCK, np.uint8)
    for one in range(words.shape[1]):
        for begin in range(ends[one], words.shape[1], BLOCK):
            end = min(begin + BLOCK, words.shape[1])
            counts = differing[: end - begin]
            a, b, c = words[0, begin:end], words[1, begin:end], words[2, begin:end]
            _count(a, b, c, words[0, one], words[1, one], words[2, one], counts)
            if counts.min() <= limit:
                for i in range(len(counts)):
                    if counts[i] <= limit:
                        pairs.append((owner[one], owner[begin + i]))
    return pairs


@njit(cache=True)
def _count(a, b, c, of_a, of_b, of_c, counts):
    """In how many bits each of the strings differs from the one; by itself, so that the compiler counts several at once."""
    for i in range(len(counts)):
        counts[i] = np.uint8(_ones(a[i] ^ of_a) + _ones(b[i] ^ of_b) + _ones(c[i] ^ of_c))


ONE, TWO, FOUR, LAST = (np.uint64(shift) for shift in (1, 2, 4, 56))
PAIRS, FOURS, BYTES, SUM = (np.uint64(0x0101010101010101 * byte) for byte in (0x55, 0x33, 0x0F, 0x01))


@njit(inline="always")
def _ones(x):
    """The bits of a word that are 1, counted in a way that compilers know, and replace by the processor's own."""
    x = x - ((x >> ONE) & PAIRS)
    x = (x & FOURS) + ((x >> TWO) & FOURS)
    return (((x + (x >> FOUR)) & BYTES) * SUM) >> LAST
