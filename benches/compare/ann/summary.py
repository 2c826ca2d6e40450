"""From measured points to the fastest at each recall, in tables for people."""

import statistics


def best(points, target):
    """The fastest point whose recall is at least the target; never one between two points."""
    enough = [point for point in points if point["recall"] >= target and point["within_threads"]]
    return max(enough, key=lambda point: point["qps"], default=None)


def condense(rounds):
    """One point from the rounds of a setting: medians."""
    first = rounds[0]
    point = {key: first[key] for key in ("recall", "passes")}
    point["qps"] = statistics.median(measured["qps"] for measured in rounds)
    for key in ("p50_us", "p99_us"):
        if key in first:
            point[key] = statistics.median(measured[key] for measured in rounds)
    if "full" in first:
        point["full"] = first["full"]
    point["rounds"] = len(rounds)
    point["rounds_qps"] = [round(measured["qps"], 1) for measured in rounds]
    # By processor time: where other work takes turns on the same processors, this is what is left to compare.
    point["cpu_us"] = statistics.median(1e6 * measured["cpu_seconds"] / measured["queries"] for measured in rounds)
    # One round with too much processor time can be the machine's doing; most of them cannot.
    inside = sum(measured["within_threads"] for measured in rounds)
    point["within_threads"] = 2 * inside > len(rounds)
    point["busy_threads"] = max(measured["busy_threads"] for measured in rounds)
    return point


def rows_of(sessions, k, mode, threads, targets):
    """For each target: the best point of each peer, with Elanus's best of the same session and their ratio."""
    found = []
    for target in targets:
        lines = {}
        for session in sessions:
            here = [p for p in session["points"] if (p["k"], p["mode"], p["threads"]) == (k, mode, threads)]
            theirs = best([p for p in here if p["peer"] != "elanus"], target)
            ours = best([p for p in here if p["peer"] == "elanus"], target)
            for point in (theirs, ours):
                if point is None:
                    continue
                name = point["peer"]
                ratio = ours["qps"] / theirs["qps"] if point is theirs and ours and theirs else None
                line = {"target": target, "k": k, "mode": mode, "threads": threads, **point, "ratio": ratio}
                if name not in lines or lines[name]["qps"] < point["qps"]:
                    lines[name] = line
        found.append((target, sorted(lines.values(), key=lambda line: -line["qps"])))
    return found


def human(number_of_bytes):
    return "-" if number_of_bytes is None else f"{number_of_bytes / 2**20:.1f}"


def table(header, lines):
    """A table of Markdown whose columns are as wide as what is in them."""
    cells = [header] + lines
    widths = [max(len(str(row[i])) for row in cells) for i in range(len(header))]

    def text(row):
        return "| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |"

    return "\n".join(
        [text(header), "|" + "|".join("-" * (width + 2) for width in widths) + "|"] + [text(row) for row in lines]
    )


def setting_text(setting):
    return " ".join(f"{name}={value}" for name, value in setting.items()) or "default"


def report(results):
    """Everything as a page of Markdown."""
    head = results["head"]
    parts = [f"# {head['name']}: {head['rows']} x {head['dim']}, {head['metric']}, {head['query_count']} queries"]
    parts.append(f"{head['machine']}; {head['rounds_text']}")
    for k in head["ks"]:
        for mode, threads in head["modes"]:
            what = (
                "one query a call, one thread"
                if mode == "one"
                else f"all queries in a call, {threads} thread{'s' if threads > 1 else ''}"
            )
            for target, lines in rows_of(results["sessions"], k, mode, threads, head["targets"][str(k)]):
                parts.append(f"## recall@{k} >= {target}: {what}")
                parts.append(block(lines, mode, results["indexes"]))
    return "\n\n".join(parts + ending(results)) + "\n"


def ending(results):
    """What stands below the tables of any comparison."""
    parts = ["## Builds and memory", builds(results["indexes"])]
    if results["notes"]:
        parts.append("## Notes\n" + "\n".join(f"- {note}" for note in results["notes"]))
    if results["left_out"]:
        parts.append("## Left out\n" + "\n".join(left_out(line) for line in results["left_out"]))
    return parts


def left_out(line):
    count = len(line["settings"])
    settings = f" ({count} settings, the first {setting_text(line['settings'][0])})" if count else ""
    return f"- {line['what']}{settings}: {line['why']}"


def block(lines, mode, indexes):
    if not lines:
        return "Nobody reaches it."
    header = ["peer", "index", "setting", "recall", "QPS"] + (["p50 us", "p99 us"] if mode == "one" else [])
    header += ["Elanus / it", "index MiB", "build s"]
    cells = []
    for line in lines:
        index = indexes[line["index"]]
        row = [
            line["peer"],
            line["variant"],
            setting_text(line["setting"]),
            f"{line['recall']:.4f}",
            f"{line['qps']:.0f}",
        ]
        if mode == "one":
            row += [f"{line['p50_us']:.0f}", f"{line['p99_us']:.0f}"]
        ratio = "" if line["ratio"] is None else f"{line['ratio']:.2f}"
        cells.append(row + [ratio, human(index["held_bytes"]), f"{index['build_seconds']:.1f}"])
    others = [line for line in lines if line["ratio"] is not None]
    text = table(header, cells)
    if others:
        text += f"\n\nElanus / best peer ({others[0]['peer']}): {others[0]['ratio']:.2f}"
    elif any(line["peer"] != "elanus" for line in lines):
        text += "\n\nElanus does not reach it."
    return text


def builds(indexes):
    header = [
        "peer",
        "index",
        "version",
        "build s",
        "CPU s",
        "held MiB",
        "process MiB",
        "highest MiB",
        "own figure MiB",
        "files MiB",
    ]
    cells = []
    for index in indexes.values():
        flag = "" if index["build_within_threads"] else " (more threads than allowed)"
        seconds = f"{index['build_seconds']:.1f}{flag}"
        row = [index["peer"], index["variant"], index["version"], seconds, f"{index['build_cpu_seconds']:.1f}"]
        sizes = ("held_bytes", "process_bytes", "highest_bytes", "index_bytes", "file_bytes")
        cells.append(row + [human(index[key]) for key in sizes])
    return table(header, cells)
