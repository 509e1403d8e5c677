"""Numbers that follow from a seed, the same on every machine and with every Python.

Source: SplitMix64, as in tests/src/differential/random.rs.
"""

import hashlib
import math

_WORD = (1 << 64) - 1


class Chance:
    """A sequence of numbers."""

    def __init__(self, seed, what):
        """The sequence for a seed and a purpose, `what`."""
        digest = hashlib.sha256(f"{what} {seed}".encode()).digest()
        self._state = int.from_bytes(digest[:8], "little")
        # Whether sizes are large.
        self.large = False

    def number(self):
        """The next number, of 64 bits."""
        self._state = (self._state + 0x9E37_79B9_7F4A_7C15) & _WORD
        mixed = self._state
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9 & _WORD
        mixed = (mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB & _WORD
        return mixed ^ (mixed >> 31)

    def below(self, end):
        """A number below `end`, which must not be 0."""
        return self.number() % end

    def chance(self, percent):
        """True in `percent` of 100 cases."""
        return self.below(100) < percent

    def pick(self, choices):
        """One of `choices`, which must not be empty."""
        return choices[self.below(len(choices))]

    def size(self, most, least=1):
        """A number from `least` to `most`, with every order of magnitude as likely as another: of
        large ones, the last one and a half."""
        if self.large:
            least = max(least, most // 30)
        share = self.number() / _WORD
        between = math.log(least) + share * (math.log(most + 1) - math.log(least))
        return min(most, max(least, int(math.exp(between))))

    def bytes(self, length):
        """This many bytes."""
        return hashlib.shake_128(self.number().to_bytes(8, "little")).digest(length)
