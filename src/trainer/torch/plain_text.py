"""Text that must stay text although it spells a special token: see src/model/text/plain-text.ts, which does the same."""

import json
import re

from tokenizers import normalizers, pre_tokenizers

# The normalizer takes the one out; the text is cut into words at the other.
BREAK, CUT = "\ufdd0", "\ufdd1"


def as_plain_text(text, marks):
    """The text, in which none of the marks is a special token for a tokenizer after `plain_text_of`."""
    for mark in marks:
        text = text.replace(mark, f"{mark[:1]}{BREAK}{mark[1:]}")
    return text


def plain_text_of(tokenizer):
    """
    Has a tokenizer of the tokenizers library take out breaks, all other ids stay; returns the function that writes breaks into
    all marks of a text.
    """
    own = tokenizer.normalizer
    removal = normalizers.Replace(BREAK, "")
    tokenizer.normalizer = normalizers.Sequence([removal, own] if own else [removal])
    tokens = [token for token in tokenizer.get_added_tokens_decoder().values() if _is_mark(token)]
    early, late = ([token.content for token in tokens if token.normalized == normalized] for normalized in (False, True))
    found = _found_by_model(tokenizer, early)
    late += found
    if late:
        _cut_at_breaks(tokenizer)
    return _plain_text_with([mark for mark in early if mark not in found], late, tokenizer.normalizer.normalize_str)


def _plain_text_with(early, late, normalize):
    pattern = re.compile(f"(?=({_any_of(late)})|{_any_of(early)})(.)", re.DOTALL)
    normalized = {one for mark in late for one in (mark, normalize(mark)) if len(one) > 1}

    def plain_text(text):
        own = text.replace(BREAK, "").replace(CUT, "")
        broken = pattern.sub(lambda match: match[2] + (BREAK if match[1] is None else CUT), own)
        # What the normalizer makes of full-width letters or capitals may be a mark too.
        found = normalize(broken) if normalized else ""
        return CUT.join(own) if any(mark in found for mark in normalized) else broken

    return plain_text


def _any_of(texts):
    return f"(?:{'|'.join(map(re.escape, texts))})" if texts else "(?!)"


def _is_mark(token):
    """Special tokens, and others that look like one: not a frequent word or a run of spaces."""
    looks_so = re.fullmatch(r"<\S*[^\W_]\S*>|\[\S*[^\W_]\S*\]", token.content)
    return len(token.content) > 1 and bool(token.special or looks_so)


def _found_by_model(tokenizer, marks):
    """Those marks that are tokens although they are broken: they are pieces of the model's vocabulary too."""
    broken = _plain_text_with(marks, [], str)

    def ids(text):
        return tokenizer.encode(text, add_special_tokens=False).ids

    in_all = set(ids(" ".join(map(broken, marks))))
    suspects = [mark for mark in marks if tokenizer.token_to_id(mark) in in_all]
    return [mark for mark in suspects if tokenizer.token_to_id(mark) in ids(f"a {broken(mark)}")]


def _cut_at_breaks(tokenizer):
    words = tokenizer.pre_tokenizer
    cut = pre_tokenizers.Split(CUT, "removed")
    # Behind what writes bytes there is no such character; behind what puts a space before a text no second one is put.
    is_first = '"ByteLevel"' in json.dumps(json.loads(tokenizer.to_str())["pre_tokenizer"])
    order = [cut, words] if is_first else [words, cut]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(order) if words else cut
