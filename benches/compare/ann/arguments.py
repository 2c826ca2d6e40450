"""The command line of the comparison."""

import argparse
import os

import filters
import peers

ABOUT = "Compares indexes of Elanus with those of other libraries on one data set, in turns, in one run."


def numbers(text):
    return [int(word) for word in text.split(",")]


def fractions(text):
    return [float(word) for word in text.split(",")]


def arguments(words=None):
    parser = argparse.ArgumentParser(description=ABOUT)
    parser.add_argument("--data", required=True, help="a folder with base.fbin, queries.fbin, truth.ibin and set.json")
    parser.add_argument("--out", required=True, help="where results.json, results.md and plots go")
    parser.add_argument("--peers", default=",".join(peers.USUAL), help="which peers, of: " + ", ".join(peers.NAMES[1:]))
    parser.add_argument(
        "--elanus",
        action="append",
        metavar="KIND:BUILD:SWEEP",
        help="an index of Elanus in place of the usual ones, as HNSW_SQ:M=16,sq_type=SQ8:ef=16,32;refine_k=1,2 with search "
        "parameters last, each value with each; may be repeated",
    )
    parser.add_argument("--variants", type=int, help="only so many of the variants of each peer")
    parser.add_argument("--k", type=numbers, default=[10, 100])
    parser.add_argument(
        "--targets",
        type=fractions,
        help="recalls to compare at, for every k",
    )
    parser.add_argument("--threads", type=numbers, default=[1], help="threads of a batch, as 1,2")
    parser.add_argument("--build-threads", type=int, default=max(1, len(os.sched_getaffinity(0))))
    parser.add_argument(
        "--modes", type=lambda text: text.split(","), default=["one", "batch"], help="one, batch or both"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--query-count", type=int, default=1000, help="use only the first queries")
    parser.add_argument(
        "--minutes",
        type=float,
        help="shorten all sweeps evenly so that the run takes about so long; builds are not shortened",
    )
    parser.add_argument(
        "--least-seconds", type=float, default=0.2, help="pass over the queries again until so long has gone by"
    )
    parser.add_argument("--build-limit", type=float, default=7200, help="seconds after which a build is broken off")
    parser.add_argument(
        "--point-limit", type=float, default=600, help="seconds after which a measurement is broken off"
    )
    parser.add_argument("--cpus", type=numbers, help="processors that workers run on; all that this process may use")
    parser.add_argument("--no-pin", action="store_true", help="do not hold workers to as many processors as threads")
    parser.add_argument("--scratch", help="where libraries write their files; the system's place for them")
    parser.add_argument(
        "--keep", metavar="FOLDER", help="keep indexes there and open them in later runs, where a library can do it"
    )
    parser.add_argument("--no-plots", action="store_true")
    parser.add_argument(
        "--filtered",
        action="store_true",
        help="search among a share of the rows, by lot and by place, one query a call; of k the first counts",
    )
    parser.add_argument("--shares", type=fractions, default=filters.SHARES, help="the shares of rows that pass")
    args = parser.parse_args(words)
    args.peers = [name for name in args.peers.split(",") if name and name != "elanus"]
    for name in args.peers:
        peers.peer_class(name)
    if not set(args.modes) <= {"one", "batch"} or min(args.k + args.threads + [args.rounds, args.query_count]) < 1:
        parser.error("modes are one and batch; k, threads, rounds and query count are at least 1")
    if not all(0 < share <= 1 for share in args.shares):
        parser.error("shares are above 0 and at most 1")
    if args.filtered:
        args.k, args.modes = args.k[:1], ["one"]
    return args
