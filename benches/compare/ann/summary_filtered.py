"""Tables of a comparison of searches among a share of the rows."""

import summary

KINDS = {
    "random": "Rows by lot",
    "near": "Rows by place, queries from the half that lies on their side",
    "far": "Rows by place, queries from the other half",
}


def of_case(sessions, name):
    """The sessions with nothing but the points of one case."""
    return [{**session, "points": [p for p in session["points"] if p.get("case") == name]} for session in sessions]


def best_of(sessions, peer, target):
    """A peer's fastest point at or above the target, else the one that finds most; None where it has none."""
    points = [p for s in sessions for p in s["points"] if p["peer"] == peer and p["within_threads"]]
    most = max(points, key=lambda p: (p["recall"], p["qps"]), default=None)
    return summary.best(points, target) or most


def cell(point, target):
    """Queries per second, or the recall it stops at, with how many queries lacked rows that there are."""
    if point is None:
        return "-"
    text = f"{point['qps']:.0f}" if point["recall"] >= target else f"(recall {point['recall']:.2f})"
    return text if point["full"] == 1 else f"{text}, {100 * (1 - point['full']):.0f} % short"


def lead(sessions, target):
    """Elanus beside the fastest peer that reaches the target, in the session of both."""
    [(_, lines)] = summary.rows_of(sessions, *question_of(sessions), [target])
    others = [line for line in lines if line["peer"] != "elanus"]
    if not others or others[0]["ratio"] is None:
        reached = any(line["peer"] == "elanus" for line in lines)
        return "alone" if reached else "not reached" if others else "-"
    return f"{others[0]['ratio']:.2f}"


def question_of(sessions):
    point = next((p for session in sessions for p in session["points"]), {"k": 0, "mode": "one", "threads": 1})
    return point["k"], point["mode"], point["threads"]


def report(results):
    """Everything as a page of Markdown."""
    head, sessions = results["head"], results["sessions"]
    [k] = head["ks"]
    size = f"{head['rows']} x {head['dim']}, {head['metric']}, {head['query_count']} queries"
    parts = [f"# {head['name']}, filtered: {size}", f"{head['machine']}; {head['rounds_text']}"]
    parts.append(
        "Queries per second of the fastest setting at the recall, one query a call, one thread. In brackets: the most that "
        "is found where that is less. `short`: queries that got fewer rows than there are. Last: Elanus / the fastest peer."
    )
    names = list(dict.fromkeys(p["peer"] for session in sessions for p in session["points"]))
    for target in head["targets"][str(k)]:
        for kind, title in KINDS.items():
            cases = [case for case in head["cases"] if case["kind"] == kind]
            lines = []
            for case in cases:
                here = of_case(sessions, case["name"])
                cells = [cell(best_of(here, name, target), target) for name in names]
                lines.append([f"{100 * case['share']:.3g} %", case["bound"], *cells, lead(here, target)])
            if lines:
                parts.append(f"## {title}: recall@{k} >= {target}")
                parts.append(summary.table(["share", "rows", *names, "Elanus / best"], lines))
    return "\n\n".join(parts + summary.ending(results)) + "\n"
