"""The text of tokens that come one by one, as src/model/decoding/text-stream.ts has it; see there for why."""

import re

# Tokens that are decoded again at most, and how many of them are kept then.
WINDOW, OVERLAP = 48, 8
LONGEST_CHARACTER = 4
INCOMPLETE = re.compile("\ufffd+$")
CHANGEABLE = re.compile(r" (?:n'?|'[mvr]?)?$")


class TextStream:
    def __init__(self, decode, stops, separator=""):
        self.decode, self.stops, self.separator = decode, [stop for stop in stops if stop], separator
        self.window, self.known, self.text = [], 0, ""
        self.started = separator == ""
        self.ends, self.given_out, self.incomplete = [], 0, 0

    def push(self, token):
        """The texts of the next tokens that are certain now, and whether a stop text has ended them."""
        self.window.append(token)
        self.ends.append(None)
        return self._extended(False)

    def end(self):
        return self._extended(True)[0]

    def _extended(self, last):
        whole = self._extend(last)
        if not self.started:
            return [], False
        length = len(self.text)
        newest = len(self.ends) - (0 if whole else 1)
        self.ends = [length if end is None and index < newest else end for index, end in enumerate(self.ends)]
        places = [place for stop in self.stops if (place := self.text.find(stop, self.given_out)) >= 0]
        if places:
            return self._cut_at(min(places)), True
        return self._give_out(length if last else length - self._start_of_stop()), False

    def _extend(self, last):
        """Appends what is certain of the window's text; whether that is all of it."""
        whole = self.decode(self.window)
        incomplete = bool(INCOMPLETE.search(whole)) and self.incomplete < 2 * LONGEST_CHARACTER
        self.incomplete = self.incomplete + 1 if incomplete else 0
        if incomplete and not last:
            return False
        changeable = CHANGEABLE.search(whole)
        certain = len(whole) if last or not changeable else changeable.start()
        if certain > self.known:
            self.text += whole[self.known : certain]
            self.known = certain
        if not self.started and (last or len(self.text) >= len(self.separator)):
            self.started = True
            self.text = self.text.removeprefix(self.separator)
        if len(self.window) > WINDOW and certain == len(whole):
            self.window = self.window[-OVERLAP:]
            self.known = len(self.decode(self.window))
        return certain == len(whole)

    def _give_out(self, limit):
        texts = []
        while self.ends and self.ends[0] is not None and self.ends[0] <= limit:
            end = self.ends.pop(0)
            texts.append(self.text[self.given_out : end])
            self.given_out = end
        return texts

    def _cut_at(self, place):
        texts = self._give_out(place)
        if self.ends and self.given_out < place:
            texts.append(self.text[self.given_out : place])
        self.ends = []
        return texts

    def _start_of_stop(self):
        """The length of the longest start of a stop text that the text ends with."""
        most = len(self.text) + 1
        lengths = (length for stop in self.stops for length in range(1, min(len(stop), most)) if self.text.endswith(stop[:length]))
        return max(lengths, default=0)
