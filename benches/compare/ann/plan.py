"""Which settings are measured, in which order, and what is left out when time is short."""


def thin(settings, keep):
    """That many settings, spread evenly, the first and the last among them."""
    if keep >= len(settings):
        return list(settings)
    if keep <= 1:
        return [settings[len(settings) // 2]]
    last = len(settings) - 1
    return [settings[round(i * last / (keep - 1))] for i in range(keep)]


# Settings that are left of a sweep, however short the time is.
LEAST = 3


def fit(costs, rounds, seconds):
    """How large a share of each sweep, and how many rounds, fit into so many seconds.

    `costs` holds the seconds of one pass for each setting of each sweep. The first round covers every setting, later
    ones about half of them. Rounds are given up before settings, down to two.
    """
    once = sum(sum(sweep) for sweep in costs)
    if seconds is None or once == 0:
        return 1.0, rounds
    while rounds > 2 and once * (1 + (rounds - 1) / 2) > seconds:
        rounds -= 1
    return min(1.0, seconds / (once * (1 + (rounds - 1) / 2))), rounds


def thinned(group, sweep_of, share):
    """The same share of each sweep in a list of tasks."""
    sweeps = {}
    for task in group:
        sweeps.setdefault(sweep_of(task), []).append(task)
    return [task for sweep in sweeps.values() for task in thin(sweep, max(LEAST, round(share * len(sweep))))]


def in_turns(ours, theirs, backwards):
    """Both lists merged so that each takes its turns evenly; every other round goes backwards, so that a machine that
    gets slower or faster favours neither."""
    merged = [(i / max(1, len(ours)), 0, item) for i, item in enumerate(ours)]
    merged += [(i / max(1, len(theirs)), 1, item) for i, item in enumerate(theirs)]
    merged.sort(key=lambda entry: entry[:2], reverse=backwards)
    return [item for _, _, item in merged]


def contenders(points, targets, margin=0.7):
    """The points that can still be the fastest at or above some target recall: within a margin of the one that is."""
    kept = set()
    for target in targets:
        enough = [point for point in points if point["recall"] >= target]
        best = max((point["qps"] for point in enough), default=0.0)
        kept.update(point["id"] for point in enough if point["qps"] >= margin * best)
    return kept
