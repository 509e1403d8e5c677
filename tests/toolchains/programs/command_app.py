"""Prints what it computes from its arguments and its standard input."""

import collections
import re
import sys

from wit_world import exports


class Run(exports.Run):
    def run(self) -> None:
        words = re.findall(r"\w+", sys.stdin.read().lower())
        for word, times in sorted(collections.Counter(words).items()):
            print(f"{times:4} {word}")
        for argument in sys.argv[1:]:
            print(argument[::-1], sum(map(ord, argument)))
        print(sum(number**3 for number in range(2000)))
        if "fail" in words:
            raise ValueError("on purpose")
