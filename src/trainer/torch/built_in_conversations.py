"""Conversations of the built-in families: the same ids as src/trainer/jobs/conversation.ts gives; see there for why."""

from protocol import JobError

# Stands for an image among ids.
IMAGE = -1


def conversation(family, turns, maximum_tokens):
    """
    Ids, files of images, first learned token, ranges behind it that are not learned, and tokens that are left out. Loss on each
    answer and what ends it, but for turns that are left out.
    """
    form = family.form
    if not form.get("conversation"):
        raise JobError(
            "turns: several turns, a system prompt or several images are not known to this model with model.tokenBoundaries: "
            "reference, nor to a family without a form for conversations. Set model.tokenBoundaries: separate"
        )
    pieces = _pieces(family, turns)
    ids, ends = _encoded(family, [text for text, _ in pieces])
    limit = _tokens_of_family(family, turns) + maximum_tokens
    token_ids, places, images, words = [family.begin], [], 0, 0
    for one in ids:
        places.append(len(token_ids))
        if words >= limit:
            continue
        if one == IMAGE:
            images += 1
            token_ids += [family.image_id] * family.image_tokens
        else:
            token_ids.append(one)
            words += 1
    places.append(len(token_ids))
    ranges = [(places[start], places[end]) for start, end in zip([0, *ends], ends)]
    learned = [(start, end) for (start, end), (_, is_learned) in zip(ranges, pieces) if is_learned and start < end]
    nexts = [*(start for start, _ in learned[1:]), len(token_ids)]
    unlearned = tuple((end, after) for (_, end), after in zip(learned, nexts) if end < after)
    files = [part["image"] for turn in turns for part in turn["content"] if "image" in part]
    cut = max(0, sum(one != IMAGE for one in ids) - limit)
    return token_ids, tuple(files[:images]), learned[0][0] if learned else len(token_ids), unlearned, cut


def conversation_ids(family, turns, open_end=False):
    """
    Ids of a whole conversation, which may end with a question: then an answer starts behind them. `open_end`: an answer that it
    ends with has no end mark.
    """
    texts = [text for text, _ in _pieces(family, turns)]
    if open_end and turns[-1]["role"] == "assistant":
        texts[-1] = texts[-1].removesuffix(family.form["endMark"])
    ids, _ = _encoded(family, texts)
    places = [family.image_id] * family.image_tokens
    return [family.begin, *(one for known in ids for one in (places if known == IMAGE else [known]))]


def conversation_text(family, turns):
    """The words of a conversation, with the family's around them and a mark for each image."""
    return "".join(text for text, _ in _pieces(family, turns))


def words_of(turn):
    return "".join(part.get("text", "") for part in turn["content"])


def _pieces(family, turns):
    """A text for each turn, the system prompt with the first of the user's, and whether it is learned."""
    form = family.form
    system, first, pieces = None, True, []
    for turn in turns:
        if turn["role"] == "system":
            system = words_of(turn)
        elif turn["role"] == "assistant":
            text = family.plain(form["answerSeparator"] + words_of(turn)) + form["endMark"]
            pieces.append((text, turn.get("learned", True)))
        else:
            pieces.append((_turn(family, words_of(turn), _image_count(turn), system if first else None, first), False))
            first = False
    return pieces


def _image_count(turn):
    return sum("image" in part for part in turn["content"])


def _turn(family, question, images, system, first):
    form = family.form["conversation"]
    around = family.form["turnWithoutImage"] if first else form["laterTurn"]
    turn = family.turn(question, None, around.replace("{question}", form["image"] * images + "{question}", 1))
    return turn if system is None else form["system"].replace("{system}", family.plain(system), 1) + turn


def _encoded(family, texts):
    """Ids behind the begin token, each image as `IMAGE`, and where each text ends among them."""
    mark = family.form["imageMark"]
    if family.together:
        own = family.tokenizer.token_to_id(mark)
        starts = [
            [IMAGE if one == own else one for one in family.encode("".join(texts[: number + 1]))] for number in range(len(texts))
        ]
        return starts[-1], [common_start(start, starts[-1]) for start in starts]
    ids, ends = [], []
    for text in texts:
        for number, part in enumerate(text.split(mark)):
            ids += [*([IMAGE] if number else []), *family.encode(part)]
        ends.append(len(ids))
    return ids, ends


def _tokens_of_family(family, turns):
    """How many ids the family has before the question of a first turn without a system prompt, images not counted."""
    turn = next(turn for turn in turns if turn["role"] == "user")
    images = _image_count(turn)
    behind = family.form["turnWithoutImage"].partition("{question}")[2]
    before = _turn(family, "", images, None, True).removesuffix(behind)
    (whole, _), (start, _) = (_encoded(family, [text]) for text in (_turn(family, words_of(turn), images, None, True), before))
    return sum(one != IMAGE for one in whole[: common_start(start, whole)])


def common_start(one, other):
    """How many ids two lists have in common at their start."""
    return next((at for at, pair in enumerate(zip(one, other)) if pair[0] != pair[1]), min(len(one), len(other)))
