"""Compares indexes of Elanus with those of other libraries on one data set, in turns, in one run.

    python compare.py --data FOLDER --out FOLDER [--peers hnswlib,faiss_hnsw] [--threads 1,2] [--minutes 30] [--filtered]

The folder of data is written by `elanus-bench compare`, which also starts this program; see docs/benchmarks.md.
"""

import json
import os
import platform
import signal
import sys
import tempfile
import time

import filters
import peers
import plan
import summary
import summary_filtered
from arguments import arguments
from child import Child, Failed
from files import Folder, shape_of
from peers.elanus import parse as parse_elanus

TARGETS = {10: [0.90, 0.95, 0.99, 0.999], 100: [0.95]}
OTHER_TARGETS = [0.90, 0.95, 0.99]


def say(text):
    print(text, flush=True)


class Index:
    """One variant of one peer: its process and what was learnt of it."""

    def __init__(self, peer, variant, build):
        self.peer, self.variant, self.build = peer, variant, build
        self.name = f"{peer}: {variant}"
        self.facts = None
        self.child = None

    def end(self):
        if self.child is not None:
            self.child.end()
            self.child = None


class Comparison:
    def __init__(self, args):
        self.args = args
        self.folder = Folder(args.data)
        available = sorted(os.sched_getaffinity(0))
        self.cpus = [] if args.no_pin else (args.cpus or available)
        if not set(self.cpus) <= set(available):
            sys.exit(f"this process may use the processors {available}, --cpus names others")
        for what, threads in [("--threads", max(args.threads)), ("--build-threads", args.build_threads)]:
            if self.cpus and threads > len(self.cpus):
                sys.exit(f"{what} {threads}: there are {len(self.cpus)} processors for the workers")
        self.most_threads = max([*args.threads, args.build_threads])
        queries, _ = shape_of(os.path.join(args.data, "queries.fbin"))
        truths, known = shape_of(os.path.join(args.data, "truth.ibin"))
        self.query_count = min(queries, args.query_count)
        if truths != queries or known < max(args.k):
            sys.exit(f"truth.ibin has {known} neighbours of {truths} queries; k {max(args.k)} of {queries} is needed")
        self.modes = ([("one", 1)] if "one" in args.modes else []) + [
            ("batch", threads) for threads in args.threads if "batch" in args.modes
        ]
        self.targets = {k: args.targets or TARGETS.get(k, OTHER_TARGETS) for k in args.k}
        self.start = time.monotonic()
        # The conditions that rows are searched with: none at all, unless asked for.
        self.filters = os.path.join(args.out, "filters")
        self.cases = [None]
        if args.filtered:
            say("computing the true neighbours of each share")
            self.cases = filters.make(self.folder, args.shares, args.k[0], self.query_count, self.filters)
        self.results = {"head": self.head(), "indexes": {}, "sessions": [], "left_out": [], "notes": []}
        self.kept_of_elanus = None
        self.started = []
        self.costs = {}
        self.build_walls = []

    def head(self):
        args, folder = self.args, self.folder
        return {
            "name": folder.name,
            "rows": folder.rows,
            "dim": folder.dim,
            "metric": folder.metric,
            "query_count": self.query_count,
            "ks": args.k,
            "modes": self.modes,
            "cases": self.cases,
            "targets": {str(k): targets for k, targets in self.targets.items()},
            "build_threads": args.build_threads,
            "machine": f"{cpu_name()}, {os.cpu_count()} processors, workers on {self.cpus or 'any'}",
            "system": platform.platform(),
            "python": platform.python_version(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "options": vars(args),
            "rounds_text": f"medians of up to {args.rounds} rounds in turns, builds on {args.build_threads} threads",
        }

    def leave_out(self, what, why, setting=None):
        """Keeps and says what is missing in the results. Settings that fail alike share a line."""
        for line in self.results["left_out"]:
            if (line["what"], line["why"]) == (what, why) and setting is not None:
                line["settings"].append(setting)
                return
        say(f"LEFT OUT {what}{'' if setting is None else ' ' + summary.setting_text(setting)}: {why}")
        self.results["left_out"].append({"what": what, "why": why, "settings": [] if setting is None else [setting]})

    def leave_out_task(self, index, task, failure):
        what = f"{index.name}, k {task['k']}, {task['mode']}, {task['threads']} threads"
        if "case" in task:
            what += f", {task['case']}"
        self.leave_out(what, str(failure), task["setting"])

    def note(self, text):
        if text not in self.results["notes"]:
            say(f"note: {text}")
            self.results["notes"].append(text)

    def variants(self, name):
        kind = peers.peer_class(name)
        if self.folder.metric not in kind.METRICS:
            self.leave_out(name, f"takes {', '.join(kind.METRICS)}, not {self.folder.metric}")
            return []
        if self.args.filtered and kind.NO_FILTER:
            self.leave_out(name, kind.NO_FILTER)
            return []
        if name == "elanus" and self.args.elanus:
            found = dict(parse_elanus(text) for text in self.args.elanus)
        else:
            found = kind.variants(self.folder.rows, self.folder.dim, self.folder.metric)
        if self.args.variants:
            found = dict(list(found.items())[: self.args.variants])
        return [Index(name, variant, build) for variant, build in found.items()]

    def built(self, index, scratch):
        """Starts the process of an index and builds it; None, and a line that says why, if that fails."""
        kind, args = peers.peer_class(index.peer), self.args
        log = os.path.join(args.out, "logs", f"{index.name.replace(': ', '-').replace(' ', '_').replace('/', '_')}.log")
        begin = time.monotonic()
        self.started.append(index)
        index.child = Child(index.peer, self.most_threads, kind.environment(self.most_threads), log)
        try:
            order = {"cpus": self.cpus[: self.most_threads], "threads": self.most_threads}
            order.update(data=args.data, query_count=self.query_count)
            loaded = index.child.ask("load", 300, **order)
            if self.args.filtered:
                index.child.ask("filters", 300, path=self.filters)
            k = args.k[0]
            index.sweeps = {k: kind.sweep(index.build, k, self.folder.rows) for k in args.k}
            order = {"threads": args.build_threads, "build": index.build, "k": k, "setting": index.sweeps[k][-1]}
            order.update(peer=index.peer, keep=args.keep)
            facts = index.child.ask("build", args.build_limit, scratch=scratch, **order)
        except Failed as failure:
            self.leave_out(index.name, str(failure))
            index.end()
            return None
        self.build_walls.append(time.monotonic() - begin)
        index.facts = {"peer": index.peer, "variant": index.variant, "build": index.build, **loaded, **facts}
        self.results["indexes"][index.name] = index.facts
        held, seconds = facts["held_bytes"] / 2**20, facts["build_seconds"]
        how = "opened what was kept of" if facts["was_kept"] else "built"
        say(f"{how} {index.name} ({loaded['version']}): built in {seconds:.1f} s, holds {held:.1f} MiB")
        if facts["was_kept"]:
            self.note(f"{index.name} was built by an earlier run, and opened here")
        if not facts["build_within_threads"]:
            self.note(f"{index.name}: the build used more processor time than {args.build_threads} threads can")
        if kind.NOTE:
            self.note(f"{index.peer} {kind.NOTE}")
        return index

    def tasks(self, index):
        """Everything that may be asked of an index."""
        found = []
        for k in self.args.k:
            for mode, threads in self.modes:
                for case in self.cases:
                    for setting in index.sweeps[k]:
                        task = {"k": k, "mode": mode, "threads": threads, "setting": setting}
                        task["id"] = f"{index.name}|{k}|{mode}|{threads}|{summary.setting_text(setting)}"
                        if case is not None:
                            task["case"] = case["name"]
                            task["id"] += f"|{case['name']}"
                        found.append((index, task))
        return found

    def measure(self, what, index, task):
        order = {key: task[key] for key in ("k", "mode", "threads", "setting", "case") if key in task}
        return index.child.ask(what, self.args.point_limit, least_seconds=self.args.least_seconds, **order)

    def session(self, ours, theirs, seconds):
        """Elanus and one index of a peer in turns; returns the condensed points."""
        groups = [task for index in ours for task in self.tasks(index)], self.tasks(theirs) if theirs else []
        if self.kept_of_elanus is not None:
            groups = [task for task in groups[0] if task[1]["id"] in self.kept_of_elanus], groups[1]
        groups, rounds = self.fitted(groups, seconds)
        measured, live, begin = {}, [list(group) for group in groups], time.monotonic()
        for number in range(rounds):
            for index, task in plan.in_turns(*live, backwards=number % 2 == 1):
                try:
                    answer = self.measure("point", index, task)
                except Failed as failure:
                    self.leave_out_task(index, task, failure)
                    if index.child.process.poll() is not None:
                        live = [[(other, t) for other, t in group if other is not index] for group in live]
                        break
                    continue
                measured.setdefault(task["id"], (index, task, []))[2].append(answer)
            live = [self.still_in_it(group, measured) for group in live]
        for index in [*ours, *([theirs] if theirs else [])]:
            if index.child.idle_cpu_seconds > 0.02 * (time.monotonic() - begin):
                idle = f"{index.child.idle_cpu_seconds:.1f} s of processor time while nothing was asked of it"
                self.note(f"{index.name} used {idle}, which others lacked")
            index.child.idle_cpu_seconds = 0.0
        points = []
        for index, task, answers in measured.values():
            about = {"peer": index.peer, "variant": index.variant, "index": index.name}
            points.append({**about, **task, **summary.condense(answers)})
        for point in points:
            if not point["within_threads"]:
                self.note(f"{point['id']}: used more processor time than allowed and counts in no table")
        return points

    def still_in_it(self, group, measured):
        """Of these tasks those that can be the fastest of their peer at some target; the others keep their rounds."""
        sweeps = {}
        for _, task in group:
            if task["id"] in measured:
                point = {"id": task["id"], **summary.condense(measured[task["id"]][2])}
                sweeps.setdefault(question(task), []).append(point)
        kept = set()
        for (k, *_), points in sweeps.items():
            kept |= plan.contenders(points, self.targets[k])
        return [entry for entry in group if entry[1]["id"] in kept]

    def fitted(self, groups, seconds):
        """The same share of every sweep, so that the session ends in time."""
        if seconds is None:
            return groups, self.args.rounds
        costs, alive, begin = [], [], time.monotonic()
        for group in groups:
            cost, good = [], []
            for index, task in group:
                try:
                    cost.append(self.cost(index, task))
                    good.append((index, task))
                except Failed as failure:
                    self.leave_out_task(index, task, failure)
                    if index.child.process.poll() is not None:
                        break
            costs.append(cost)
            alive.append(good)
        seconds = max(1.0, seconds - (time.monotonic() - begin))
        share, rounds = plan.fit(costs, self.args.rounds, seconds)
        if share < 1 or rounds < self.args.rounds:
            text = f"{100 * share:.0f} % of each sweep, but at least {plan.LEAST} settings, in up to {rounds} rounds"
            whose = (groups[1] or groups[0])[0][0].name
            self.note(f"--minutes {self.args.minutes:g}, beside {whose}: time for {text}")

        def sweep_of(entry):
            index, task = entry
            return index.name, question(task)

        return [plan.thinned(group, sweep_of, share) for group in alive], rounds

    def cost(self, index, task):
        """About how many seconds one pass takes, with what it takes to ask."""
        if task["id"] not in self.costs:
            begin = time.monotonic()
            answer = self.measure("probe", index, task)
            asking = time.monotonic() - begin - answer["spent_seconds"]
            self.costs[task["id"]] = answer["seconds"] + max(0.0, asking)
        return self.costs[task["id"]]

    def run(self):
        try:
            self.run_sessions()
        finally:
            # Also when it is interrupted: a worker in the middle of a build does not see that nobody waits.
            for index in self.started:
                if index.child is not None:
                    index.child.end(at_once=True)

    def run_sessions(self):
        with tempfile.TemporaryDirectory(prefix="compare-", dir=self.args.scratch) as scratch:
            ours = [index for index in self.variants("elanus") if self.built(index, scratch)]
            if not ours:
                sys.exit("Elanus could not be built: " + self.results["left_out"][-1]["why"])
            waiting = [index for name in self.args.peers for index in self.variants(name)]
            if not waiting:
                self.one_session(ours, None, 1)
            for number, index in enumerate(waiting):
                if self.built(index, scratch):
                    self.one_session(ours, index, len(waiting) - number)
                    index.end()
                self.write()
            for index in ours:
                index.end()
        self.write()

    def one_session(self, ours, theirs, sessions_left):
        seconds = None
        if self.args.minutes:
            # What is still to be built takes about as long as what was built.
            builds = (sessions_left - 1) * sum(self.build_walls) / len(self.build_walls)
            left = self.args.minutes * 60 - (time.monotonic() - self.start) - builds
            seconds = max(1.0, left / sessions_left)
        points = self.session(ours, theirs, seconds)
        self.results["sessions"].append({"peer": theirs.name if theirs else None, "points": points})
        if self.kept_of_elanus is None:
            # Later sessions need only those settings of Elanus that can be its best somewhere.
            sweeps = {}
            for point in points:
                if point["peer"] == "elanus":
                    sweeps.setdefault(question(point), []).append(point)
            self.kept_of_elanus = set()
            for (k, *_), here in sweeps.items():
                self.kept_of_elanus |= plan.contenders(here, self.targets[k], margin=0.85)
        if theirs:
            say(f"measured {theirs.name}: {sum(p['peer'] != 'elanus' for p in points)} points")

    def write(self):
        """Writes results after every session, so that a run that is broken off leaves what it has."""
        self.results["head"]["seconds"] = round(time.monotonic() - self.start, 1)
        with open(os.path.join(self.args.out, "results.json"), "w", encoding="utf-8") as out:
            json.dump(self.results, out, indent=1)
        with open(os.path.join(self.args.out, "results.md"), "w", encoding="utf-8") as out:
            out.write(self.report())

    def report(self):
        return summary_filtered.report(self.results) if self.args.filtered else summary.report(self.results)


def question(task):
    """What settings are compared within: all that is asked for but the setting."""
    return task["k"], task["mode"], task["threads"], task.get("case")


def cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return next(
                (line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown CPU"
            )
    except OSError:
        return "unknown CPU"


def main():
    try:
        args = arguments()
    except ValueError as error:
        sys.exit(str(error))
    os.makedirs(os.path.join(args.out, "logs"), exist_ok=True)
    # So that an end from outside also ends the workers and removes their files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    comparison = Comparison(args)
    comparison.run()
    print(comparison.report())
    if args.no_plots:
        return
    try:
        import plots

        for path in plots.draw(comparison.results, args.out):
            say(f"wrote {path}")
    except ImportError as error:
        say(f"SKIPPED plots: {error}")


if __name__ == "__main__":
    main()
