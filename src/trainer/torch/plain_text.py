"""Text that must stay text although it spells a special token: see src/model/text/plain-text.ts."""

from tokenizers import normalizers

BREAK = "\ufdd0"


def as_plain_text(text, marks):
    """The text, in which none of the marks is a special token for a tokenizer after `removing_breaks`."""
    for mark in marks:
        text = text.replace(mark, f"{mark[:1]}{BREAK}{mark[1:]}")
    return text


def removing_breaks(tokenizer):
    """Has a tokenizer of the tokenizers library take out what `as_plain_text` puts into a text. All other ids stay."""
    removal = normalizers.Replace(BREAK, "")
    tokenizer.normalizer = normalizers.Sequence([removal, tokenizer.normalizer] if tokenizer.normalizer else [removal])
    return tokenizer
