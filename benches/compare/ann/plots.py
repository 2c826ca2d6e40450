"""Curves of recall and speed, and bars of what an index costs."""

import math

import summary_filtered


def frontier(points):
    """The points that no other beats in both recall and speed, by recall."""
    kept, fastest = [], 0.0
    for point in sorted(points, key=lambda p: (-p["recall"], -p["qps"])):
        if point["qps"] > fastest:
            kept.append(point)
            fastest = point["qps"]
    return kept[::-1]


def nines(recall):
    """So that 0.9, 0.99 and 0.999 are equally far apart."""
    return -math.log10(max(1 - recall, 1e-4))


def draw(results, folder):
    """Writes every plot as SVG and PNG; returns the paths."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    written = []

    def save(figure, name):
        for ending in ("svg", "png"):
            path = f"{folder}/{name}.{ending}"
            figure.savefig(path, bbox_inches="tight", dpi=110)
            written.append(path)
        pyplot.close(figure)

    head = results["head"]
    points = [point for session in results["sessions"] for point in session["points"]]
    names = list(dict.fromkeys(index["peer"] for index in results["indexes"].values()))
    colours = {name: pyplot.get_cmap("tab20")(i % 20) for i, name in enumerate(names)}
    title = f"{head['name']}, {head['rows']} x {head['dim']}, {head['metric']}"
    if head["cases"] != [None]:
        shares(results, names, pyplot, colours, save)
        bars(results, pyplot, colours, save)
        return written
    for k in head["ks"]:
        for mode, threads in head["modes"]:
            here = [p for p in points if (p["k"], p["mode"], p["threads"]) == (k, mode, threads) and p["recall"] >= 0.5]
            what = "one by one" if mode == "one" else f"batch, {threads} threads"
            kinds = [("qps", "queries per second")] + (
                [("p50_us", "p50, us"), ("p99_us", "p99, us")] if mode == "one" else []
            )
            for key, label in kinds:
                figure, axes = pyplot.subplots(figsize=(9, 6))
                for name in names:
                    line = frontier([p for p in here if p["peer"] == name])
                    style = {"linewidth": 2.5, "zorder": 3} if name == "elanus" else {"linewidth": 1.2}
                    xs = [nines(p["recall"]) for p in line]
                    axes.plot(
                        xs, [p[key] for p in line], marker="o", markersize=3.5, label=name, color=colours[name], **style
                    )
                ticks = [0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999]
                axes.set_xticks([nines(tick) for tick in ticks], [str(tick) for tick in ticks])
                axes.set_yscale("log")
                axes.set_xlabel(f"recall@{k}")
                axes.set_ylabel(label)
                axes.set_title(f"{title}: {what}")
                axes.grid(True, which="both", alpha=0.25)
                axes.legend(fontsize=8)
                save(figure, f"recall-{key.replace('_us', '')}-k{k}-{mode}{threads}")
    bars(results, pyplot, colours, save)
    return written


def shares(results, names, pyplot, colours, save):
    """For each recall to reach: speed by the share of rows that pass, one panel for each kind of condition."""
    head = results["head"]
    [k] = head["ks"]
    kinds = list(dict.fromkeys(case["kind"] for case in head["cases"]))
    for target in head["targets"][str(k)]:
        figure, panels = pyplot.subplots(1, len(kinds), figsize=(5 * len(kinds), 5), sharey=True, squeeze=False)
        for kind, axes in zip(kinds, panels[0]):
            cases = [case for case in head["cases"] if case["kind"] == kind]
            for name in names:
                found = []
                for case in cases:
                    point = summary_filtered.best_of(
                        summary_filtered.of_case(results["sessions"], case["name"]), name, target
                    )
                    # A gap where the recall is not reached.
                    reached = point is not None and point["recall"] >= target
                    found.append(point["qps"] if reached else math.nan)
                style = {"linewidth": 2.5, "zorder": 3} if name == "elanus" else {"linewidth": 1.2}
                xs = [100 * case["share"] for case in cases]
                axes.plot(xs, found, marker="o", markersize=3.5, label=name, color=colours[name], **style)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xlabel("rows that pass, %")
            axes.set_title(f"{kind}, recall@{k} >= {target}")
            axes.grid(True, which="both", alpha=0.25)
        panels[0][0].set_ylabel(f"queries per second, {head['name']}")
        panels[0][0].legend(fontsize=8)
        save(figure, f"filtered-qps-k{k}-recall{target}")


def bars(results, pyplot, colours, save):
    indexes = list(results["indexes"].values())
    labels = [f"{index['peer']}: {index['variant']}" for index in indexes]
    shades = [colours[index["peer"]] for index in indexes]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13, 0.32 * len(indexes) + 1.5), sharey=True)
    left.barh(labels, [index["build_seconds"] for index in indexes], color=shades)
    left.set_xlabel(f"build, s on {results['head']['build_threads']} threads")
    right.barh(labels, [index["held_bytes"] / 2**20 for index in indexes], color=shades)
    right.axvline(indexes[0]["row_bytes"] / 2**20, color="black", linestyle=":", linewidth=1)
    right.set_xlabel("held in memory, MiB (dotted: the vectors)")
    left.invert_yaxis()
    save(figure, "builds")
